package config

import (
	"snf-image/internal/host/target"
	"snf-image/internal/host/trust"
	"snf-image/internal/host/values"
)

// State says what this version does with a setting.
type State string

// The states of a setting.
const (
	Used     State = "used"
	Harmless State = "without effect in this version"
	Missing  State = "not in this version"
	Obsolete State = "no longer needed"
)

// Setting describes one name of the configuration files (docs/reference.md,
// Configuration). A name that ends in an asterisk stands for all that begin so.
type Setting struct {
	Name    string
	Type    string
	Default string // in the syntax of the file
	State   State
	Doc     string // what it sets, or why it is no longer needed
	apply   func(*Config, string) error
}

// Settings returns every known setting, documented order first: what is used,
// what is to come, what the earlier implementation had. A default may refer to
// a setting before it.
func Settings() []Setting {
	return append(used(), append(toCome(), obsolete()...)...)
}

func used() []Setting {
	return []Setting{
		{"IMAGE_DIR", "directory", "/var/lib/snf-image", Used, "images named without a scheme lie here", to(path, func(c *Config) *string { return &c.ImageDir })},
		{"IMAGE_DEBUG", "boolean", "no", Used, "log every step, and what programs of CUSTOM_TASK and of the image print, secrets replaced", to(boolean, func(c *Config) *bool { return &c.ImageDebug })},
		{"VERSION_CHECK", "boolean", "yes", Used, "refuse a helper image of another release; no only warns", to(boolean, func(c *Config) *bool { return &c.VersionCheck })},
		{"HELPER_DIR", "directory", "/var/lib/snf-image/helper", Used, "the helper image lies here", to(path, func(c *Config) *string { return &c.HelperDir })},
		{"HELPER_PKG", "file", "${HELPER_DIR}/snf-image-helper.deb", Used, "package the helper image is made from; a bare name is looked for in HELPER_DIR", helperPackage},
		{"HELPER_SOFT_TIMEOUT", "duration", "120", Used, "time for the customization, suffixes s m h d; 0 means no limit; on an installed machine it acts between steps", to(duration, func(c *Config) *dur { return &c.HelperSoftTimeout })},
		{"HELPER_HARD_TIMEOUT", "duration", "5", Used, "time from the end of the soft timeout until the helper is killed", to(duration, func(c *Config) *dur { return &c.HelperHardTimeout })},
		{"HELPER_USER", "account", "nobody", Used, "account the helper runs as; nobody stands for a uid of its own for each run", helperUser},
		{"HELPER_MEMORY", "MiB", "512", Used, "memory of the helper", to(memory, func(c *Config) *int { return &c.HelperMemory })},
		{"HELPER_DEBUG", "boolean", "no", Used, "a shell in the helper when a task fails", to(boolean, func(c *Config) *bool { return &c.HelperDebug })},
		{"PROGRESS_MONITOR", "command", "", Used, "command with arguments that reads the progress messages of create; the instance name is added", to(words, func(c *Config) *[]string { return &c.ProgressMonitor })},
		{"DHCP_TAGS", "words", "auto dhcp nfdhcpd", Used, "network tags that ask for DHCP", to(words, func(c *Config) *[]string { return &c.DHCPTags })},
		{"STATEFUL_DHCPV6_TAGS", "words", "dhcpv6 stateful_dhcpv6", Used, "network tags that ask for stateful DHCPv6", to(words, func(c *Config) *[]string { return &c.StatefulDHCPv6Tags })},
		{"STATELESS_DHCPV6_TAGS", "words", "nfdhcpd stateless_dhcpv6", Used, "network tags that ask for SLAAC with stateless DHCPv6", to(words, func(c *Config) *[]string { return &c.StatelessDHCPv6Tags })},
		{"DEFAULT_NIC_CONFIG", "word", "dhcp", Used, "for a single NIC without any information: dhcp, dhcpv6, slaac, slaac_dhcp, dhcp+ one of the last three, or empty to leave it", to(nicConfig, func(c *Config) *string { return &c.DefaultNICConfig })},
		{"DNS", "addresses", "", Used, "name servers of NICs with a static address, where no property or --nic says others", to(values.ParseDNS, func(c *Config) *[]string { return &c.DNS })},
		{"SEARCH", "domains", "", Used, "search domains of NICs with a static address, likewise", to(values.ParseSearch, func(c *Config) *[]string { return &c.Search })},
		{"VARIANTS_DIR", "directory", "/etc/ganeti/snf-image/variants", Used, "one defaults file for each OS variant", to(path, func(c *Config) *string { return &c.VariantsDir })},
		{"ARCH", "word", "x86_64", Used, "architecture in the file names of the first releases, NAME-ARCH.FORMAT", to(word, func(c *Config) *string { return &c.Arch })},
		{"KVM", "program", "qemu-system-x86_64", Used, "the QEMU program", to(word, func(c *Config) *string { return &c.QEMU })},
		{"ACCELERATOR", "word", "auto", Used, "what runs the helper's processor: auto is KVM where it works, else TCG; kvm fails where it does not work; tcg is software alone, which is not a boundary QEMU vouches for", to(accelerator, func(c *Config) *string { return &c.Accelerator })},
		{"WIPE", "word", "auto", Used, "the disk behind the image: auto zeroes it where that needs no writing, zero always, none leaves it", to(wipe, func(c *Config) *target.Wipe { return &c.Wipe })},
		{"MAX_HELPERS", "number", "", Used, "helpers that root runs at the same time on this node; empty or 0 means as many as memory allows", to(count, func(c *Config) *int { return &c.MaxHelpers })},
		{"CLOUD_INIT_DEBUG", "boolean", "no", Used, "with CLOUD_INIT=yes: keep on the machine what is removed at its first boot, secrets too, and log to /var/log/snf-image/cloud-init-debug.log there", to(boolean, func(c *Config) *bool { return &c.CloudInitDebug })},
		{"REPORT_DIR", "directory", "/var/log/snf-image", Used, "reports of Ganeti's create and rename, INSTANCE.json and the four before it; empty writes none", to(optionalPath, func(c *Config) *string { return &c.ReportDir })},
		{"SPOOL_DIR", "directory", "/var/tmp", Used, "where an image is kept meanwhile that has to be read in any order and is compressed or comes from a URL; also what inspect unpacks", to(word, func(c *Config) *string { return &c.SpoolDir })},
		{"KEYRING_DIR", "directory", "/etc/snf-image/keys", Used, "public keys of OpenPGP and minisign that images are verified with", to(path, func(c *Config) *string { return &c.KeyringDir })},
		{"VERIFY_IMAGES", "word", "if-present", Used, "what has to prove an image: none looks for nothing; if-present takes checksums and signatures beside it, and forgives only that there are none; required demands a digest by the administrator, or a signature by a key of IMG_KEY or of the image's entry in the catalogue", to(trust.ParseDemand, func(c *Config) *trust.Demand { return &c.VerifyImages })},
		{"IMG_DIGEST", "digest", "", Used, "what the image has to have as it is stored, whichever is deployed: sha256:HEX or sha512:HEX; for the file of a variant", to(trust.ParseDigest, func(c *Config) *trust.Digest { return &c.ImgDigest })},
		{"IMG_KEY", "fingerprints", "", Used, "keys of KEYRING_DIR, one of which has to have made whatever signature lies beside the image; for the file of a variant", to(fingerprints, func(c *Config) *[]string { return &c.ImgKeys })},
		{"VENDOR_KEYS_DIR", "directory", "/usr/share/snf-image/keys", Used, "keys of vendors that came with this program; each counts for the entries of the catalogue that name it", to(path, func(c *Config) *string { return &c.VendorKeysDir })},
		{"CATALOGUE_DIRS", "directories", "/usr/share/snf-image/catalogue.d /etc/snf-image/catalogue.d", Used, "entries of the catalogue, NAME.conf; one in a later directory replaces one of the same name, and an empty one removes it", to(paths, func(c *Config) *[]string { return &c.CatalogueDirs })},
		{"CATALOGUE_MIRROR", "URL", "", Used, "server that is asked instead of the vendors of the catalogue, for CATALOGUE_MIRROR/HOST/PATH", to(mirror, func(c *Config) *string { return &c.CatalogueMirror })},
		{"ALLOW_URL", "patterns", "", Used, "URLs that may reach addresses of the node, metadata services or files: SCHEME://HOST[:PORT][/PATH], in which * stands for anything", to(words, func(c *Config) *[]string { return &c.AllowURL })},
		{"HTTP_PROXY", "URL", "", Used, "proxy for http", to(text, func(c *Config) *string { return &c.HTTPProxy })},
		{"HTTPS_PROXY", "URL", "", Used, "proxy for https", to(text, func(c *Config) *string { return &c.HTTPSProxy })},
		{"NO_PROXY", "words", "", Used, "hosts, domains and networks reached without a proxy", to(words, func(c *Config) *[]string { return &c.NoProxy })},
		{"TLS_CA_FILE", "file", "", Used, "certificates, in PEM, of authorities of your own servers", to(optionalPath, func(c *Config) *string { return &c.TLSCAFile })},
		{"TRANSFER_TIMEOUT", "duration", "6h", Used, "time for a whole transfer from a URL, with all attempts to resume it, suffixes s m h d; 0 means no limit", to(duration, func(c *Config) *dur { return &c.TransferTimeout })},
		{"TRANSFER_MIN_RATE", "KiB/s", "16", Used, "least rate of a server, on average of each minute it is waited for, over all connections of a transfer, or of each half of TRANSFER_TIMEOUT where that is shorter; 0 means no limit", to(count, func(c *Config) *int { return &c.TransferMinRate })},
	}
}

func toCome() []Setting {
	return []Setting{
		{"UNATTEND", "file", "", Used, "answer file for Windows images that have none (deprecated)", to(text, func(c *Config) *string { return &c.Unattend })},
		{"WINDOWS_TIMEZONE", "name", "GMT Standard Time", Used, "time zone of Windows guests whose answer file is made", to(text, func(c *Config) *string { return &c.WindowsTimezone })},
		{"VERIFY_RESULT", "word", "none", Missing, "check of the finished disk: none or strict", onlyNone},
		{"CACHE_DIR", "directory", "", Missing, "cache of downloaded images", nil},
		{"CACHE_SIZE", "size", "", Missing, "its size", nil},
	}
}

func obsolete() []Setting {
	const (
		ownVM      = "the helper is always our own QEMU"
		ownHelper  = "the helper image is a kernel and an initramfs in HELPER_DIR, see HELPER_PKG"
		inProcess  = "no external program is used for this on the node"
		inHelper   = "partition tables are handled inside the helper"
		goContext  = "time limits are kept by snf-image itself"
		noPithos   = "Pithos is not supported"
		noArchives = "the helper image is unpacked by snf-image itself"
	)
	return []Setting{
		gone("XEN_CMD", ownVM), gone("XEN_SCRIPTS_DIR", ownVM), gone("QEMU_NBD", "qemu-nbd is found in the usual directories, where a disk has only a URI"),
		gone("MULTISTRAP_*", ownHelper), gone("HELPER_IMG", ownHelper), gone("HELPER_KERNEL", ownHelper),
		gone("HELPER_INITRD", ownHelper), gone("HELPER_CACHE_FILE", ownHelper), gone("HELPER_EXTRA_PKGS", ownHelper),
		gone("HELPER_SIZE", ownHelper), gone("HELPER_URL", "the helper package lies in HELPER_DIR, nothing is downloaded"),
		gone("PITHOS_*", noPithos), gone("PITHCAT_UMASK", noPithos),
		gone("RBD_*", "disks are opened by their path or URI"), gone("IMAGE_NAME", "img_id names the image"),
		gone("CURL", "no external program downloads; instead of -k or --cacert, TLS_CA_FILE names the certificate authority of your own servers"),
		gone("DD", inProcess), gone("BLOCKDEV", inProcess), gone("MD5SUM", inProcess), gone("QEMU_IMG", inProcess),
		gone("LOSETUP", inHelper), gone("KPARTX", inHelper), gone("PARTED", inHelper), gone("SFDISK", inHelper),
		gone("INSTALL_MBR", inHelper), gone("TIMEOUT", goContext), gone("TIMELIMIT", goContext), gone("TAR", noArchives),
	}
}

// gone describes a setting of the earlier implementation.
func gone(name, why string) Setting {
	return Setting{Name: name, State: Obsolete, Doc: why}
}
