package images

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// writeApart makes a file system whose maker knows no offset, in a file of its own, and
// copies it to its place.
func (p Part) writeApart(t testing.TB, image string) {
	t.Helper()
	dir, area := t.TempDir(), filepath.Join(t.TempDir(), "area")
	p.Tree.stage(t, dir)
	if err := os.WriteFile(area, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(area, p.MiB*MiB); err != nil {
		t.Fatal(err)
	}
	args := []string{"mkfs.btrfs", "-q", "-L", p.Label, "-U", p.FSUUID, "--rootdir", dir}
	if p.FS == "xfs" {
		proto := filepath.Join(t.TempDir(), "proto")
		if err := os.WriteFile(proto, []byte("-\n0 0\nd--755 0 0\n"+protoOf(t, dir)), 0o600); err != nil {
			t.Fatal(err)
		}
		args = []string{"mkfs.xfs", "-q", "-L", p.Label, "-m", "uuid=" + p.FSUUID, "-p", proto}
	}
	run(t, nil, append(append(args, p.Mkfs...), area)...)
	run(t, nil, "dd", "status=none", "if="+area, "of="+image, "bs=1M", fmt.Sprint("seek=", p.Start), "conv=notrunc,sparse")
}

// protoOf describes what is in a directory as mkfs.xfs(8) has it, option -p.
func protoOf(t testing.TB, dir string) string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			t.Fatal(err)
		}
		st, ok := info.Sys().(*syscall.Stat_t)
		if !ok {
			t.Fatalf("no owner of %s", e.Name())
		}
		path := filepath.Join(dir, e.Name())
		line := func(kind, rest string) {
			fmt.Fprintf(&b, "%s %s--%03o %d %d %s\n", e.Name(), kind, info.Mode().Perm(), st.Uid, st.Gid, rest)
		}
		switch info.Mode().Type() {
		case fs.ModeDir:
			line("d", "")
			b.WriteString(protoOf(t, path))
		case fs.ModeSymlink:
			target, err := os.Readlink(path)
			if err != nil {
				t.Fatal(err)
			}
			line("l", target)
		case 0:
			line("-", path)
		default:
			t.Fatalf("%s is of a kind that is not in this version of the images", path)
		}
	}
	return b.String() + "$\n"
}
