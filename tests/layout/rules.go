// Package layout checks that the source tree keeps to the shape the project
// has chosen: which package may import which, where third-party modules, child
// processes, the environment and mounts may occur, and how large files may be.
//
// It reads source files and nothing else: no build, no network.
package layout

import (
	"regexp"
	"strings"
)

const module = "snf-image"

// allowed lists, for every package that may import packages of this module
// beyond the basics, which ones. A trailing "/" stands for everything below.
// A package that is not named here may import the basics only.
var allowed = map[string][]string{
	"internal/host/jsondoc": {"internal/host/problem"},
	"internal/host/values":  {"internal/host/problem"},
	"internal/host/builder": {"internal/host/problem", "internal/host/values", "internal/host/jsondoc", "internal/host/diskuri", "internal/host/imageref"},
	"internal/host/parameters": {
		"internal/host/builder", "internal/host/problem", "internal/host/values", "internal/host/diskuri",
		"internal/host/config", "internal/host/ganeti", "internal/host/fetch", "internal/host/keyring", "internal/host/trust", "internal/host/source", "internal/host/imageref",
		"internal/host/catalogue", "internal/host/collection", "internal/host/shellfile",
	},
	"internal/host/collection": {
		"internal/host/catalogue", "internal/host/fetch", "internal/host/keyring", "internal/host/ownership", "internal/host/room",
		"internal/host/shellfile", "internal/host/source", "internal/host/sums", "internal/host/trust",
	},
	"internal/host/ganeti":       {"internal/host/problem", "internal/host/builder"},
	"internal/host/shellfile":    {"internal/host/ownership", "internal/host/problem"},
	"internal/host/catalogue":    {"internal/host/problem", "internal/host/shellfile", "internal/host/trust", "internal/host/values"},
	"internal/host/config":       {"internal/host/trust", "internal/host/target", "internal/host/ownership", "internal/host/problem", "internal/host/shellfile", "internal/host/values"},
	"internal/host/keyring":      {"internal/host/ownership"},
	"internal/host/trust":        {"internal/host/keyring", "internal/host/sums"},
	"internal/host/source":       {"internal/host/fetch", "internal/host/imageref", "internal/host/trust"},
	"internal/host/format":       {"internal/host/blockmap", "internal/host/bootrecord", "internal/host/foreign", "internal/host/inflate", "internal/host/parallel", "internal/host/room"},
	"internal/host/blockmap":     {"internal/host/inflate"},
	"internal/host/parallel":     {"internal/host/bunzip", "internal/host/lzma"},
	"internal/host/target":       {"internal/host/confine", "internal/host/format", "internal/host/nbd", "internal/host/ownership", "internal/host/foreign", "internal/host/diskuri"},
	"internal/host/fetch":        {"internal/host/ownership"},
	"internal/host/helper":       {"internal/host/deb", "internal/host/ownership"},
	"internal/host/helper/build": {"internal/host/deb", "internal/host/helper"},
	"internal/host/admission":    {"internal/host/ownership"},
	"internal/host/vm":           {"internal/host/confine"},
	"internal/host/nbd":          {"internal/host/confine"},
	"internal/host/monitor":      {"internal/host/confine"},
	"internal/host/worker":       {"internal/host/confine", "internal/host/format", "internal/host/target", "internal/host/nbd", "internal/host/foreign"},
	// One helper: everything that booting it and talking to it takes.
	"internal/host/session": {
		"internal/host/admission", "internal/host/config", "internal/host/confine",
		"internal/host/credentials", "internal/host/helper", "internal/host/vm",
	},
	"internal/host/doctor": {"internal/host/"}, // examines all that a deployment needs
	"internal/host/deploy": {"internal/host/"},

	"internal/guest/outcome":        {"internal/guest/rootfs"},
	"internal/guest/system":         {"internal/guest/rootfs"},
	"internal/guest/platform":       {"internal/guest/rootfs"},
	"internal/guest/registry":       {"internal/guest/outcome", "internal/guest/rootfs"},
	"internal/guest/selinux":        {"internal/guest/etc", "internal/guest/rootfs"},
	"internal/guest/network":        {"internal/guest/etc", "internal/guest/netconf", "internal/guest/outcome", "internal/guest/rootfs", "internal/guest/system"},
	"internal/guest/cloudinit":      {"internal/guest/etc", "internal/guest/outcome", "internal/guest/platform", "internal/guest/rootfs", "internal/guest/system"},
	"internal/guest/sshd":           {"internal/guest/etc", "internal/guest/outcome", "internal/guest/rootfs", "internal/guest/system"},
	"internal/guest/inspect":        {"internal/guest/account", "internal/guest/cloudinit", "internal/guest/etc", "internal/guest/network", "internal/guest/outcome", "internal/guest/registry", "internal/guest/rootfs", "internal/guest/selinux", "internal/guest/sshd"},
	"internal/guest/account":        {"internal/guest/cloudinit", "internal/guest/etc", "internal/guest/outcome", "internal/guest/rootfs", "internal/guest/sshd", "internal/guest/system"},
	"internal/guest/identity":       {"internal/guest/etc", "internal/guest/inspect", "internal/guest/outcome", "internal/guest/rootfs", "internal/guest/sshd", "internal/guest/system"},
	"internal/guest/sandbox":        {"internal/guest/outcome"},
	"internal/guest/fstab":          {"internal/guest/filesystem"},
	"internal/guest/windows/script": {"internal/guest/netconf"},
	"internal/guest/windows": {
		"internal/guest/windows/", "internal/guest/netconf", "internal/guest/outcome", "internal/guest/registry", "internal/guest/rootfs", "internal/guest/system",
	},
	"internal/guest/personality": {"internal/guest/etc", "internal/guest/outcome", "internal/guest/rootfs"},
	"internal/guest/task": {
		"internal/guest/etc", "internal/guest/fstab",
		"internal/guest/partition", "internal/guest/filesystem", "internal/guest/lvm", "internal/guest/rootfs", "internal/guest/outcome",
		"internal/guest/system", "internal/guest/inspect", "internal/guest/netconf", "internal/guest/network",
		"internal/guest/account", "internal/guest/cloudinit", "internal/guest/identity", "internal/guest/personality", "internal/guest/sandbox", "internal/guest/selinux",
		"internal/guest/sshd",
		"internal/guest/registry", "internal/guest/windows",
	},
	"internal/guest/agent": {"internal/guest/"},

	"cmd/snf-image":       {"internal/host/"},
	"cmd/snf-image-agent": {"internal/guest/"},
	"tests/":              {"tests/"},
	"tests/guest":         {"tests/", "internal/guest/rootfs", "internal/guest/system"}, // for tests of what works on a guest
	"tests/bench/":        {"internal/host/"},                                           // measures the parts by themselves
}

// forTests are the packages that tests of any package may import.
var forTests = []string{"tests/gpg", "tests/storage", "tests/jail", "tests/tree", "tests/golden", "tests/require", "tests/support", "tests/systems", "tests/vmdk", "tests/corpus", "tests/guest", "tests/hive", "tests/wine", "tests/powershell", "tests/mirror"}

// basics are the packages everyone may import and that import only the
// standard library and golang.org/x/sys, never each other.
var basics = []string{"internal/spec", "internal/report", "internal/channel", "internal/command", "internal/timezone"}

// shared are the packages that may be imported by host and guest as the basics are, but
// may themselves import these.
var shared = []string{"internal/redact"}

// modules confines third-party modules to packages. golang.org/x/sys is free.
var modules = map[string][]string{
	"github.com/spf13/cobra":             {"cmd/snf-image"},
	"github.com/spf13/pflag":             {"cmd/snf-image"},
	"github.com/vbauerster/mpb/v8":       {"cmd/snf-image"},
	"golang.org/x/term":                  {"cmd/snf-image"},
	"mvdan.cc/sh/v3":                     {"internal/host/shellfile"},
	"github.com/go-crypt/x":              {"internal/host/credentials"},
	"golang.org/x/crypto":                {"internal/host/credentials"},
	"github.com/u-root/u-root":           {"internal/host/helper/build"},
	"github.com/knqyf263/go-deb-version": {"internal/host/helper"},
	"github.com/therootcompany/xz":       {"internal/host/helper/build", "internal/host/parallel"},
	"github.com/klauspost/compress":      {"internal/host/format"},
	"github.com/pierrec/lz4/v4":          {"internal/host/format"},
	"github.com/moby/sys/mountinfo":      {"internal/guest/filesystem", "internal/guest/sandbox"},
	"github.com/elastic/go-seccomp-bpf":  {"internal/host/confine"},
	"github.com/zeebo/blake3":            {"internal/host/worker"},
	"go.yaml.in/yaml/v3":                 {"internal/guest/cloudinit"},
	"github.com/jlaffaye/ftp":            {"internal/host/fetch"},
	"github.com/ProtonMail/go-crypto":    {"internal/host/keyring"},
	"aead.dev/minisign":                  {"internal/host/keyring"},
	"github.com/mdlayher/netlink":        {"internal/host/fetch"},
	"golang.org/x/net":                   {"internal/host/fetch"},
	"github.com/beevik/etree":            {"internal/guest/windows/answer"},
	"golang.org/x/text":                  {"internal/guest/windows/answer"},
	"github.com/google/go-cmp":           {onlyTests},
	"github.com/rogpeppe/go-internal":    {onlyTests},
}

// onlyTests as the place of a module means: in _test.go files anywhere and in
// the packages below tests/.
const onlyTests = "(tests)"

// confined lists what only certain packages may use outside of tests. A name
// without a dot is an import path, else it is a function of that package; "*"
// stands for any function beginning so.
var confined = []confinement{
	{use: []string{"os/exec"}, to: []string{"internal/command", "internal/host/confine", "internal/host/vm"}},
	{use: []string{
		"flag", "os.Exit", "os.Getenv", "os.LookupEnv", "os.Environ", "os.ExpandEnv",
		"os.Setenv", "os.Unsetenv", "os.Clearenv", "syscall.Getenv", "syscall.Environ",
	}, to: []string{"cmd/"}},
	{use: []string{"unix.Reboot", "syscall.Reboot"}, to: []string{"internal/guest/agent"}},
	{
		use: []string{"unix.Mount", "syscall.Mount", "unix.Fsmount", "unix.MoveMount"},
		// confine makes the roots of children, in mount namespaces of theirs.
		to: []string{"internal/guest/agent", "internal/guest/filesystem", "internal/guest/sandbox", "internal/host/confine"},
	},
}

// confinement keeps the uses of something to some packages.
type confinement struct {
	use []string
	to  []string
}

// badNames are package names that say nothing.
var badNames = []string{"util", "utils", "common", "shared", "helpers", "types", "manager", "misc", "lib"}

// maxLines is the longest a source file may be, maxProduction one that is part of the
// product, and maxFunction a function of it. maxPackage is how many lines of code, without
// comments and blank lines, a package of the product may have, unless its comment says "It is
// large because ...", or larger.
const (
	maxLines      = 500
	maxProduction = 300
	maxFunction   = 45
	maxPackage    = 1200
)

// sizeReason finds the reason why a package is large in its comment.
var sizeReason = regexp.MustCompile(`\bIt is (a little )?larger? ([^.]* )?because `)

// within reports whether the package path is named by one of the patterns.
func within(path string, patterns []string) bool {
	for _, p := range patterns {
		if path == p || strings.HasSuffix(p, "/") && strings.HasPrefix(path, p) {
			return true
		}
	}
	return false
}
