package layout

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
)

// TestTree holds the rules against this very tree.
func TestTree(t *testing.T) {
	t.Parallel()
	root := os.DirFS("../..")
	files, err := readTree(root)
	if err != nil {
		t.Fatal(err)
	}
	if len(files) < 10 {
		t.Fatalf("read only %d files: is this the root of the tree?", len(files))
	}
	found, err := Check(root)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range found {
		t.Error(f)
	}
}

// TestCheck shows that each rule can be broken, on trees of one file.
func TestCheck(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name string
		file string
		src  string
		want []string // nil: nothing found
	}{
		{"basics import x/sys", "internal/spec/a.go", src("spec", "golang.org/x/sys/unix"), nil},
		{
			"basics import each other", "internal/spec/a.go", src("spec", "snf-image/internal/report"),
			[]string{"internal/spec/a.go: imports snf-image/internal/report: the basics import only the standard library and golang.org/x/sys"},
		},
		{"everyone imports basics", "internal/host/helper/a.go", src("helper", "snf-image/internal/report"), nil},
		{
			"host imports guest", "internal/host/deploy/a.go", src("deploy", "snf-image/internal/guest/rootfs"),
			[]string{"internal/host/deploy/a.go: imports snf-image/internal/guest/rootfs: not among the imports internal/host/deploy may have"},
		},
		{
			"guest imports host", "internal/guest/agent/a.go", src("agent", "snf-image/internal/host/format"),
			[]string{"internal/guest/agent/a.go: imports snf-image/internal/host/format: not among the imports internal/guest/agent may have"},
		},
		{
			"leaf imports leaf", "internal/host/format/a.go", src("format", "snf-image/internal/host/target"),
			[]string{"internal/host/format/a.go: imports snf-image/internal/host/target: not among the imports internal/host/format may have"},
		},
		{"target imports format", "internal/host/target/a.go", src("target", "snf-image/internal/host/format"), nil},
		{"worker imports target", "internal/host/worker/a.go", src("worker", "snf-image/internal/host/target"), nil},
		{"deploy joins the leaves", "internal/host/deploy/a.go", src("deploy", "snf-image/internal/host/vm"), nil},
		{
			"ganeti imports deploy", "internal/host/ganeti/a.go", src("ganeti", "snf-image/internal/host/deploy"),
			[]string{"internal/host/ganeti/a.go: imports snf-image/internal/host/deploy: not among the imports internal/host/ganeti may have"},
		},
		{"inspect imports rootfs", "internal/guest/inspect/a.go", src("inspect", "snf-image/internal/guest/rootfs"), nil},
		{
			"rootfs imports inspect", "internal/guest/rootfs/a.go", src("rootfs", "snf-image/internal/guest/inspect"),
			[]string{"internal/guest/rootfs/a.go: imports snf-image/internal/guest/inspect: not among the imports internal/guest/rootfs may have"},
		},
		{
			"task imports agent", "internal/guest/task/a.go", src("task", "snf-image/internal/guest/agent"),
			[]string{"internal/guest/task/a.go: imports snf-image/internal/guest/agent: not among the imports internal/guest/task may have"},
		},
		{"external test imports its package", "internal/spec/a_test.go", src("spec_test", "snf-image/internal/spec"), nil},
		{
			"blackbox test imports the host", "tests/vm/a_test.go", src("vm", "snf-image/internal/host/deploy"),
			[]string{"tests/vm/a_test.go: imports snf-image/internal/host/deploy: not among the imports tests/vm may have"},
		},
		{"module in its place", "internal/host/shellfile/a.go", src("shellfile", "mvdan.cc/sh/v3/syntax"), nil},
		{
			"module out of its place", "internal/spec/a.go", src("spec", "mvdan.cc/sh/v3/syntax"),
			[]string{"internal/spec/a.go: imports mvdan.cc/sh/v3/syntax: module confined to internal/host/shellfile"},
		},
		{"test module in a test", "internal/spec/a_test.go", src("spec", "github.com/google/go-cmp/cmp"), nil},
		{
			"test module in code", "internal/spec/a.go", src("spec", "github.com/google/go-cmp/cmp"),
			[]string{"internal/spec/a.go: imports github.com/google/go-cmp/cmp: module confined to (tests)"},
		},
		{
			"unknown module", "internal/spec/a.go", src("spec", "example.org/leftpad"),
			[]string{"internal/spec/a.go: imports example.org/leftpad: module is not in the table of third-party modules"},
		},
		{"exec in its place", "internal/host/vm/a.go", src("vm", "os/exec"), nil},
		{"exec in a test", "internal/host/target/a_test.go", src("target", "os/exec"), nil},
		{
			"exec elsewhere", "internal/host/deploy/a.go", src("deploy", "os/exec"),
			[]string{"internal/host/deploy/a.go: uses os/exec, which belongs in internal/command, internal/host/confine, internal/host/vm"},
		},
		{"exit in a command", "cmd/snf-image/a.go", src("main", "os") + "func f() { os.Exit(1) }", nil},
		{
			"exit elsewhere", "internal/host/deploy/a.go", src("deploy", "os") + "func f() { os.Exit(1) }",
			[]string{"internal/host/deploy/a.go: uses os.Exit, which belongs in cmd/"},
		},
		{
			"environment under another name", "internal/host/config/a.go", src("config") + "import x \"os\"\nvar _ = x.Getenv",
			[]string{"internal/host/config/a.go: uses os.Getenv, which belongs in cmd/"},
		},
		{
			"mount in a task", "internal/guest/task/a.go", src("task", "golang.org/x/sys/unix") + "var _ = unix.Mount",
			[]string{"internal/guest/task/a.go: uses unix.Mount, which belongs in internal/guest/agent, internal/guest/filesystem, internal/guest/sandbox, internal/host/confine"},
		},
		{
			"reboot in a file system", "internal/guest/filesystem/a.go", src("filesystem", "golang.org/x/sys/unix") + "var _ = unix.Reboot",
			[]string{"internal/guest/filesystem/a.go: uses unix.Reboot, which belongs in internal/guest/agent"},
		},
		{
			"name that says nothing", "internal/util/a.go", src("util"),
			[]string{"internal/util/a.go: package is called util, which says nothing"},
		},
		{
			"no package comment", "internal/spec/a.go", "package spec\n",
			[]string{"internal/spec: no package comment"},
		},
		{
			"init", "internal/spec/a.go", src("spec") + "func init() {}\n",
			[]string{"internal/spec/a.go: func init: list choices as literals instead"},
		},
		{
			"long file", "internal/spec/a.go", src("spec") + strings.Repeat("\n", maxProduction),
			[]string{fmt.Sprintf("internal/spec/a.go: %d lines, more than %d", maxProduction+2, maxProduction)},
		},
		{
			"long function", "internal/spec/a.go", src("spec") + "func f() {" + strings.Repeat("\n", maxFunction) + "}\n",
			[]string{fmt.Sprintf("internal/spec/a.go: f has %d lines, more than %d", maxFunction+1, maxFunction)},
		},
		{
			"long test", "internal/spec/a_test.go", src("spec") + strings.Repeat("\n", maxLines),
			[]string{fmt.Sprintf("internal/spec/a_test.go: %d lines, more than %d", maxLines+2, maxLines)},
		},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got, err := Check(fstest.MapFS{c.file: {Data: []byte(c.src)}})
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(c.want, got); d != "" {
				t.Errorf("Check of %s (-want +got):\n%s", c.file, d)
			}
		})
	}
}

func TestCheckRefusesWhatItCannotRead(t *testing.T) {
	t.Parallel()
	_, err := Check(fstest.MapFS{"a.go": {Data: []byte("package")}})
	if err == nil || !strings.Contains(err.Error(), "a.go") {
		t.Errorf("Check of a broken file = %v, want an error naming it", err)
	}
}

// src returns the start of a source file with a package comment and imports.
func src(pkg string, imports ...string) string {
	s := fmt.Sprintf("// Package %s is a test.\npackage %s\n", strings.TrimSuffix(pkg, "_test"), pkg)
	for _, i := range imports {
		s += fmt.Sprintf("import %q\n", i)
	}
	return s
}

// TestPackageSize allows a large package that says why.
func TestPackageSize(t *testing.T) {
	t.Parallel()
	for reason, found := range map[string]int{"": 1, "\n//\n// It is large\n// because it is one table.": 0} {
		tree := fstest.MapFS{}
		for n := range 5 {
			text := "// Package spec is one." + reason + "\npackage spec\n" + strings.Repeat("var _ = 0\n", maxProduction-10)
			tree[fmt.Sprintf("internal/spec/%c.go", 'a'+n)] = &fstest.MapFile{Data: []byte(text)}
		}
		if got, err := Check(tree); err != nil || len(got) != found {
			t.Errorf("Check with the reason %q = %v, %v, want %d findings", reason, got, err, found)
		}
	}
}
