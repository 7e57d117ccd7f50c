package config

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"snf-image/internal/host/problem"
	"snf-image/internal/host/shellfile"
	"snf-image/internal/host/target"
	"snf-image/internal/host/trust"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// noOrigins leaves out where settings were set.
var noOrigins = cmpopts.IgnoreFields(Config{}, "Origins")

// TestProofs reads what an administrator demands of images and knows about them.
func TestProofs(t *testing.T) {
	t.Parallel()
	sum := strings.Repeat("Ab", 32)
	c, problems := Parse("t", []byte("VERIFY_IMAGES=required\nIMG_DIGEST=sha256:"+sum+"\n\nIMG_KEY='0123456789abcdef 0123456789ABCDE0'\n"))
	if len(problems) > 0 || c.VerifyImages != trust.Required || c.ImgDigest.Hex != strings.ToLower(sum) || c.ImgDigest.Algorithm != "sha256" ||
		!slices.Equal(c.ImgKeys, []string{"0123456789ABCDEF", "0123456789ABCDE0"}) || c.Origins["VERIFY_IMAGES"] != "t:1" || c.Origins["IMG_KEY"] != "t:4" {
		t.Errorf("Parse = %+v, %v", c, problems)
	}
}

// defaults is the Config of a node without configuration files.
func defaults() *Config {
	return &Config{
		ImageDir: "/var/lib/snf-image", HelperDir: "/var/lib/snf-image/helper",
		HelperPkg:   "/var/lib/snf-image/helper/snf-image-helper.deb",
		VariantsDir: "/etc/ganeti/snf-image/variants", Arch: "x86_64", VersionCheck: true,
		HelperSoftTimeout: 2 * time.Minute, HelperHardTimeout: 5 * time.Second, HelperMemory: 512,
		ProgressMonitor: []string{}, AllowURL: []string{}, NoProxy: []string{}, DHCPTags: []string{"auto", "dhcp", "nfdhcpd"},
		StatefulDHCPv6Tags: []string{"dhcpv6", "stateful_dhcpv6"}, StatelessDHCPv6Tags: []string{"nfdhcpd", "stateless_dhcpv6"},
		DefaultNICConfig: "dhcp", WindowsTimezone: "GMT Standard Time", QEMU: "qemu-system-x86_64", Accelerator: "auto", Wipe: target.WipeAuto,
		TransferTimeout: 6 * time.Hour, TransferMinRate: 16, ReportDir: "/var/log/snf-image", SpoolDir: "/var/tmp",
		KeyringDir: "/etc/snf-image/keys", VendorKeysDir: "/usr/share/snf-image/keys",
		CatalogueDirs: []string{"/usr/share/snf-image/catalogue.d", "/etc/snf-image/catalogue.d"}, VerifyImages: trust.IfPresent, ImgKeys: []string{},
	}
}

func TestDefaults(t *testing.T) {
	t.Parallel()
	got, problems := Load(File{Path: filepath.Join(t.TempDir(), "absent")})
	if diff := cmp.Diff(defaults(), got, noOrigins); diff != "" || len(problems) > 0 {
		t.Errorf("Load = %v (-want +got):\n%s", problems, diff)
	}
}

func TestParse(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, in string
		want     func(*Config)
	}{
		{"empty", "\n# comment\n", func(*Config) {}},
		{"quotes", "IMAGE_DIR='/a b'\nARCH=\"arm\\\"64\" # why\nKVM=/usr/bin/k\\ vm\n", func(c *Config) {
			c.ImageDir, c.Arch, c.QEMU = "/a b", `arm"64`, ""
		}},
		{"reference to a default", `IMAGE_DIR="${HELPER_DIR}/images"`, func(c *Config) { c.ImageDir = "/var/lib/snf-image/helper/images" }},
		{"reference to a name set", "HELPER_DIR=/h\nHELPER_PKG=\"$HELPER_DIR/x.deb\"\n", func(c *Config) {
			c.HelperDir, c.HelperPkg = "/h", "/h/x.deb"
		}},
		{"default follows", "HELPER_DIR=/h\n", func(c *Config) { c.HelperDir, c.HelperPkg = "/h", "/h/snf-image-helper.deb" }},
		{"bare package name", "HELPER_PKG=x.deb\n", func(c *Config) { c.HelperPkg = "/var/lib/snf-image/helper/x.deb" }},
		{"last one wins", "IMAGE_DEBUG=yes\nIMAGE_DEBUG=no; HELPER_DEBUG=on HELPER_MEMORY=1024\n", func(c *Config) {
			c.HelperDebug, c.HelperMemory = true, 1024
		}},
		{"a bad value that is overridden", "HELPER_MEMORY=x\nHELPER_MEMORY=256\n", func(c *Config) { c.HelperMemory = 256 }},
		{"durations", "HELPER_SOFT_TIMEOUT=1.5h\nHELPER_HARD_TIMEOUT=0\n", func(c *Config) {
			c.HelperSoftTimeout, c.HelperHardTimeout = 90*time.Minute, 0
		}},
		{"words", "DHCP_TAGS=\nPROGRESS_MONITOR='/bin/mon -x  y'\nDEFAULT_NIC_CONFIG=DHCP+slaac\nWIPE=Zero\n", func(c *Config) {
			c.DHCPTags, c.ProgressMonitor, c.DefaultNICConfig, c.Wipe = []string{}, []string{"/bin/mon", "-x", "y"}, "dhcp+slaac", target.WipeZero
		}},
		{"no NIC configuration", `DEFAULT_NIC_CONFIG=""`, func(c *Config) { c.DefaultNICConfig = "" }},
		{"user of its own", "HELPER_USER=nobody", func(*Config) {}},
		{"OS parameters", "IMG_FORMAT=diskdump\nIMG_PROPERTIES='{\"SWAP\":\"b\"}'\n", func(c *Config) {
			c.Parameters = []Parameter{{"img_format", "diskdump", "t:1"}, {"img_properties", `{"SWAP":"b"}`, "t:2"}}
		}},
		{"references stay text", `IMAGE_DIR='/${HELPER_DIR}'`, func(c *Config) { c.ImageDir = "/${HELPER_DIR}" }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			want := defaults()
			tc.want(want)
			got, problems := Parse("t", []byte(tc.in))
			if want.QEMU == "" { // the case with a program that is two words
				if !errors.Is(problems.Err(), ErrValue) || len(problems) != 1 || problems[0].Line != 3 {
					t.Errorf("problems = %v, want a bad value on line 3", problems)
				}
				return
			}
			if diff := cmp.Diff(want, got, noOrigins); diff != "" || len(problems) > 0 {
				t.Errorf("Parse = %v (-want +got):\n%s", problems, diff)
			}
		})
	}
}

func TestRefused(t *testing.T) {
	t.Parallel()
	canary := filepath.Join(t.TempDir(), "canary")
	for _, tc := range []struct{ name, in, want string }{
		{"command", "touch " + canary, "t:1:1: only NAME"},
		{"command substitution", "\nIMAGE_DIR=\"$(touch " + canary + ")\"", "t:2:1: IMAGE_DIR: commands are never run"},
		{"backquotes", "IMAGE_DIR=`touch " + canary + "`", "commands are never run"},
		{"nested substitution", `IMAGE_DIR="${HELPER_DIR:-$(touch ` + canary + `)}"`, "only plain ${NAME}"},
		{"assignment and command", "A=1 touch " + canary, "only NAME"},
		{"process substitution", "IMAGE_DIR=<(touch " + canary + ")", "commands are never run"},
		{"redirection", "> " + canary, "only NAME"},
		{"export", "export IMAGE_DIR=/a", "only NAME"},
		{"source", ". /etc/passwd", "only NAME"},
		{"condition", "if true; then IMAGE_DIR=/a; fi", "only NAME"},
		{"background", "IMAGE_DIR=/a &", "only NAME"},
		{"function", "f() { :; }", "only NAME"},
		{"arithmetic", "HELPER_MEMORY=$((1+1))", "only text, quotes"},
		{"append", "IMAGE_DIR+=/a", "only plain assignments"},
		{"array", "DHCP_TAGS=(a b)", "only plain assignments"},
		{"index", "DHCP_TAGS[1]=a", "only plain assignments"},
		{"default operator", "IMAGE_DIR=${HELPER_DIR:-/x}", "only plain ${NAME}"},
		{"length", "IMAGE_DIR=/${#HELPER_DIR}", "only plain ${NAME}"},
		{"environment", "IMAGE_DIR=$HOME", "${HOME} is not set before this line"},
		{"positional", "IMAGE_DIR=/$1", "not set before"},
		{"tilde", "IMAGE_DIR=~root/x", "~ is not expanded"},
		{"open quote", "\nIMAGE_DIR=\"/a\n", "t:2:11: not shell syntax"},
		{"relative directory", "IMAGE_DIR=a", "t:1:1: IMAGE_DIR: \"a\": expected an absolute path"},
		{"empty directory", "IMAGE_DIR=", "absolute path"},
		{"relative package", "HELPER_PKG=a/b.deb", "absolute path"},
		{"boolean", "VERSION_CHECK=perhaps", "yes or no"},
		{"duration", "HELPER_SOFT_TIMEOUT=1y", "followed by s, m, h or d"},
		{"duration too long", "HELPER_SOFT_TIMEOUT=9999d", "1000 days"},
		{"memory", "HELPER_MEMORY=64", "from 192"},
		{"memory with a unit", "HELPER_MEMORY=1G", "number of MiB"},
		{"NIC", "DEFAULT_NIC_CONFIG=slaac+dhcp", "expected dhcp"},
		{"wipe", "WIPE=maybe", "auto, zero or none"},
		{"user", "HELPER_USER=../x", "name of an account"},
		{"verification", "VERIFY_IMAGES=yes", "none, if-present or required"},
		{"relative catalogue", "CATALOGUE_DIRS='/a b'", "expected absolute paths"},
		{"mirror", "CATALOGUE_MIRROR=mirror.example.org", "expected a URL"},
		{"mirror with a query", "CATALOGUE_MIRROR='https://mirror.example.org/?a=b'", "expected a URL"},
		{"digest without a kind", "IMG_DIGEST=" + strings.Repeat("ab", 32), "expected sha256: and 64"},
		{"digest too short", "IMG_DIGEST=sha512:" + strings.Repeat("ab", 32), "sha512: and 128"},
		{"digest that is weak", "IMG_DIGEST=sha1:" + strings.Repeat("ab", 20), "expected sha256"},
		{"key by its name", "IMG_KEY=rocky-10", "expected fingerprints"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			c, problems := Parse("t", []byte(tc.in))
			if c != nil || problems.Err() == nil || !strings.Contains(problems.Error(), tc.want) {
				t.Errorf("Parse(%q) = %v, %v, want an error with %q", tc.in, c, problems, tc.want)
			}
			if _, err := os.Lstat(canary); err == nil {
				t.Errorf("Parse(%q) ran a command", tc.in)
			}
		})
	}
}

func TestEveryLineIsReported(t *testing.T) {
	t.Parallel()
	_, problems := Parse("t", []byte("echo a\nIMAGE_DIR=/a\necho b\nHELPER_MEMORY=x\n"))
	var at []int
	for _, p := range problems {
		at = append(at, p.Line)
	}
	if diff := cmp.Diff([]int{1, 3, 4}, at); diff != "" {
		t.Errorf("lines of the problems (-want +got):\n%s", diff)
	}
}

func TestWarnings(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, in, want string
		rule           error
	}{
		{"unknown", "IMAGEDIR=/a", "t:1:1: IMAGEDIR: unknown name", ErrUnknown},
		{"old program", `CURL="curl -k"`, "no longer needed: no external program downloads; instead of -k or --cacert, TLS_CA_FILE", ErrNotUsed},
		{"old family of names", "PITHOS_DB=x", "no longer needed: Pithos", ErrNotUsed},
		{"to come", "CACHE_SIZE=10G", "CACHE_SIZE: not in this version", problem.ErrNotInThisVersion},
		{"shared account", "HELPER_USER=snf", "uid of its own", ErrValue},
	} {
		c, problems := Parse("t", []byte(tc.in))
		if c == nil || len(problems) != 1 || !errors.Is(problems, tc.rule) || !strings.Contains(problems.Error(), tc.want) {
			t.Errorf("%s: Parse = %v, %v, want one warning with %q", tc.name, c, problems, tc.want)
		}
	}
}

func TestSettingsToComeAreSilentAtTheirDefault(t *testing.T) {
	t.Parallel()
	in := "VERIFY_RESULT=none\nCACHE_DIR=\n"
	if c, problems := Parse("t", []byte(in)); c == nil || len(problems) > 0 {
		t.Errorf("Parse(%q) = %v, %v", in, c, problems)
	}
}

// write makes a file in a directory of the test.
func write(t *testing.T, dir, name, text string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestLoadLaterFileWins(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first := write(t, dir, "1", "IMAGE_DIR=/one\nHELPER_DIR=/h\nIMG_FORMAT=x\n")
	second := write(t, dir, "2", "IMAGE_DIR=/two\nHELPER_PKG=$HELPER_DIR/p\n")
	c, problems := Load(File{Path: first}, File{Path: second, Required: true})
	if c == nil || len(problems) > 0 {
		t.Fatalf("Load: %v", problems)
	}
	if c.ImageDir != "/two" || c.HelperPkg != "/h/p" || c.Parameters[0].Origin != problem.Origin(first+":3") {
		t.Errorf("Load = %+v, the later file did not win", c)
	}
}

func TestLoadErrors(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, tc := range []struct {
		name string
		file File
		want string
	}{
		{"required and absent", File{Path: dir + "/no", Required: true}, "no such file"},
		{"directory", File{Path: dir}, "is a directory"},
		{"endless", File{Path: "/dev/zero"}, "1 MiB"},
		{"huge", File{Path: write(t, dir, "huge", strings.Repeat("#\n", shellfile.MaxFile))}, "1 MiB"},
	} {
		c, problems := Load(tc.file)
		if c != nil || !strings.Contains(problems.Error(), tc.want) || !strings.HasPrefix(problems[0].Error(), tc.file.Path) {
			t.Errorf("%s: Load = %v, %v, want %q", tc.name, c, problems, tc.want)
		}
	}
}

func TestFiles(t *testing.T) {
	t.Parallel()
	if got := Files("/x"); len(got) != 1 || got[0] != (File{Path: "/x", Required: true}) {
		t.Errorf("Files(/x) = %v, want that file alone, required", got)
	}
	if got := Files(""); len(got) != 3 || got[2].Path != DefaultPath || got[2].Required {
		t.Errorf("Files() = %v, want the three files of a node, the default one last", got)
	}
}

func FuzzParse(f *testing.F) {
	f.Add("IMAGE_DIR=\"${HELPER_DIR}/x\"\nIMG_FORMAT='a'\n")
	f.Add("A=$(x)\nB=`y`\nC=${D:-e}\nexport F=1\n")
	f.Fuzz(func(t *testing.T, in string) {
		c, problems := Parse("t", []byte(in))
		if (c == nil) != (problems.Err() != nil) {
			t.Errorf("Parse = %v with %v", c, problems)
		}
	})
}
