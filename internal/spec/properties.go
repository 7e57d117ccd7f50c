package spec

import (
	"slices"
	"strconv"
	"strings"
)

// PropertyKind is the form of a property's value.
type PropertyKind string

// The kinds of property.
const (
	TextProperty    PropertyKind = "text"
	BooleanProperty PropertyKind = "boolean"
)

// PropertyState says what this version does with a property.
type PropertyState string

// The states of a property.
const (
	PropertyUsed     PropertyState = "used"
	PropertyHarmless PropertyState = "without effect"
	PropertyMissing  PropertyState = "not in this version"
)

// Property describes one image property (docs/reference.md, Image properties).
type Property struct {
	Name  string
	Kind  PropertyKind
	State PropertyState
	Doc   string
}

// Names of the properties the code asks for.
const (
	PropOSFamily         = "OSFAMILY"
	PropRootPartition    = "ROOT_PARTITION"
	PropUsers            = "USERS"
	PropIgnoreUnattend   = "IGNORE_UNATTEND"
	PropOverwriting      = "ALLOW_MOUNTED_TASK_OVERWRITING"
	PropHashMethod       = "PASSWD_HASHING_METHOD"
	PropSwap             = "SWAP"
	PropGrow             = "GROW"
	PropNTFSResize       = "OFFLINE_NTFSRESIZE"
	PropNTFSNoCheck      = "OFFLINE_NTFSRESIZE_NOCHECK"
	PropCloudInit        = "CLOUD_INIT"
	PropCustomTask       = "CUSTOM_TASK"
	PropNMNetworking     = "NM_NETWORKING"
	PropKeepIdentity     = "KEEP_IDENTITY"
	PropSSHPasswordLogin = "SSH_PASSWORD_LOGIN"
	PropCreateUsers      = "CREATE_USERS"
	PropDNS              = "DNS"
	PropSearch           = "SEARCH"
	PropMTU              = "MTU"
	ip6Reference         = "NIC_n_IP6"
	PropExcludeAll       = "EXCLUDE_ALL_TASKS"
	PropExcludeMounted   = "EXCLUDE_MOUNTED_TASKS"
	PropExcludeResize    = "EXCLUDE_FILESYSTEMRESIZE_TASKS"
	PropExcludeTask      = "EXCLUDE_TASK_" // followed by the name of a task
	excludeTaskReference = PropExcludeTask + "<NAME>"
)

// AllProperties returns the image properties in the order they are documented.
func AllProperties() []Property {
	return []Property{
		{PropOSFamily, TextProperty, PropertyUsed, "linux, windows, windows-legacy, freebsd, netbsd or openbsd; detected when missing. The BSDs are not in this version"},
		{PropRootPartition, TextProperty, PropertyUsed, "number of the root partition, 0 for a disk without a partition table; for a root on LVM that of its physical volume; detected when missing"},
		{PropUsers, TextProperty, PropertyUsed, "space-separated users whose credentials are set; when missing root, on Windows Administrator"},
		{"DO_SYNC", BooleanProperty, PropertyHarmless, "accepted: nothing is skipped that would have to be synced"},
		{PropIgnoreUnattend, BooleanProperty, PropertyUsed, "the answer file that a Windows image has is not used"},
		{PropOverwriting, BooleanProperty, PropertyUsed, "programs in /root/snf-image/helper of the image may replace the tasks that run while it is mounted"},
		{PropNTFSResize, BooleanProperty, PropertyUsed, "NTFS of Windows grows in the helper, not when it starts first; it is checked then"},
		{PropNTFSNoCheck, BooleanProperty, PropertyUsed, "NTFS that grew in the helper is not marked to be checked"},
		{PropHashMethod, TextProperty, PropertyUsed, "md5, sha1, blowfish, sha256, sha512 or yescrypt; sha512 when missing"},
		{PropSwap, TextProperty, PropertyUsed, "PARTITION:SIZE_MB to add a swap partition, or the letter of a whole secondary disk"},
		{PropGrow, TextProperty, PropertyUsed, "mount point or partition number of what grows; the partition that lies last when missing"},
		{PropCloudInit, TextProperty, PropertyUsed, "yes: the image's cloud-init configures the machine at its first boot, from a NoCloud seed, instead of an edit of its files; `leave`: the image's cloud-init is left to run beside our own work; else it is kept from running"},
		{PropCreateUsers, BooleanProperty, PropertyUsed, "users of USERS that are missing are made as the image's cloud.cfg would make its default user: groups, shell, sudo"},
		{PropSSHPasswordLogin, TextProperty, PropertyUsed, "`yes`: the image's SSH server takes the passwords that are set; `keep`, as when missing: its configuration stays"},
		{PropCustomTask, TextProperty, PropertyUsed, "base64 of a program to run in the helper with the image mounted"},
		{PropNMNetworking, BooleanProperty, PropertyUsed, "write NetworkManager keyfiles whatever the distribution"},
		{PropKeepIdentity, BooleanProperty, PropertyUsed, "with img_id null: run only the tasks that the parameters ask for, and keep machine-id and SSH host keys"},
		{PropDNS, TextProperty, PropertyUsed, "space-separated name servers of NICs with a static address; wins over the setting DNS"},
		{PropSearch, TextProperty, PropertyUsed, "space-separated search domains of NICs with a static address; wins over the setting SEARCH"},
		{PropMTU, TextProperty, PropertyUsed, "largest packet in bytes of NICs with a static address"},
		{ip6Reference, TextProperty, PropertyUsed, "static IPv6 address of NIC n, which counts from 0, beside its IPv4 address; without a prefix length that of the network's IPv6 subnet counts"},
		{PropExcludeAll, BooleanProperty, PropertyUsed, "run no task at all; no helper is started"},
		{PropExcludeMounted, BooleanProperty, PropertyUsed, "leave out MountImage, UmountImage and all tasks between them"},
		{PropExcludeResize, BooleanProperty, PropertyUsed, "leave out the three FilesystemResize tasks"},
		{excludeTaskReference, BooleanProperty, PropertyUsed, "leave out one task"},
	}
}

// LeaveCloudInit is the value of CLOUD_INIT with which an image's cloud-init runs beside us.
const LeaveCloudInit = "leave"

// IsProperty reports whether name, in upper case, is a property of the table.
func IsProperty(name string) bool {
	if _, ok := IP6Property(name); ok || strings.HasPrefix(name, PropExcludeTask) {
		return true
	}
	return slices.ContainsFunc(AllProperties(), func(p Property) bool { return p.Name == name })
}

// PropertyNames returns every name a property may have, except for the NIC_ ones.
func PropertyNames() []string {
	var names []string
	for _, p := range AllProperties() {
		if p.Name != excludeTaskReference && p.Name != ip6Reference {
			names = append(names, p.Name)
		}
	}
	for _, t := range AllTasks() {
		names = append(names, PropExcludeTask+strings.ToUpper(t.Name))
	}
	return names
}

// OSFamilies are the values of OSFAMILY, the one of this version first.
func OSFamilies() []string {
	return []string{"linux", "windows", "windows-legacy", "freebsd", "netbsd", "openbsd"}
}

// HashMethods are the values of PASSWD_HASHING_METHOD, the default first.
func HashMethods() []string {
	return []string{"sha512", "sha256", "md5", "sha1", "blowfish", "yescrypt"}
}

// IP6Property returns the number n of a property NIC_n_IP6.
func IP6Property(name string) (n int, ok bool) {
	number, ok := strings.CutPrefix(name, "NIC_")
	number, end := strings.CutSuffix(number, "_IP6")
	n, err := strconv.Atoi(number)
	return n, ok && end && err == nil && n >= 0 && strconv.Itoa(n) == number
}
