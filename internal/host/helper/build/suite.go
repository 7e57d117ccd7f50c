package build

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// DefaultSuite is the Debian suite the helper image is made from unless another
// one is asked for, whatever the node runs. Bookworm's tools damage some file
// systems of newer images or refuse them, see minimums.
const DefaultSuite = "trixie"

// suite is a Debian suite: everything in a helper image comes from one, so that
// kernel and tools fit each other and there is one C library.
type suite struct {
	name      string
	terminfo  string   // where ncurses-base has its descriptions
	libraries []string // packages with the libraries that the tools name
}

// suites are the suites that are known, in the order they are offered. Suites of
// backports are left out: the kernel 6.12.95 of bookworm-backports ended every
// second boot under TCG in an oops.
var suites = []suite{
	{
		name: "trixie", terminfo: "/usr/share/terminfo",
		libraries: append([]string{"libext2fs2t64", "libreadline8t64", "libntfs-3g89t64", "libcap2", "libzstd1", "zlib1g", "liburcu8t64", "libaio1t64", "libedit2", "libbsd0", "libmd0", "libsystemd0"}, libraries...),
	},
	{
		name: "bookworm", terminfo: "/lib/terminfo",
		libraries: append([]string{"libext2fs2", "libreadline8", "libntfs-3g89", "liburcu8", "libzstd1", "zlib1g", "libaio1", "libedit2", "libbsd0", "libmd0", "libsystemd0", "libcap2", "libgcrypt20", "libgpg-error0", "liblz4-1", "liblzma5"}, libraries...),
	},
}

// findSuite returns the suite called name, the default if name is empty.
func findSuite(name string) (suite, error) {
	if name == "" {
		name = DefaultSuite
	}
	if i := slices.IndexFunc(suites, func(s suite) bool { return s.name == name }); i >= 0 {
		return suites[i], nil
	}
	return suite{}, errors.New("unknown suite; known are " + strings.Join(suiteNames(), ", "))
}

func suiteNames() []string {
	var names []string
	for _, s := range suites {
		names = append(names, s.name)
	}
	return names
}

// tools returns the packages with the programs and files of the helper.
func (s suite) tools() []source {
	var files strings.Builder
	for name := range strings.FieldsSeq(terminals) {
		fmt.Fprintf(&files, "%s/%s ", s.terminfo, name)
	}
	return append(slices.Clip(tools), source{"ncurses-base", files.String()})
}

// downloads returns the names of the packages to fetch beside the kernel's.
func (s suite) downloads() []string {
	var names []string
	for _, tool := range s.tools() {
		names = append(names, tool.name)
	}
	return append(names, s.libraries...)
}
