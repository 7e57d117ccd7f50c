package oracle

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"snf-image/tests/images"
	"snf-image/tests/require"
)

// TestChanged shows that every kind of difference is seen.
func TestChanged(t *testing.T) {
	t.Parallel()
	changes := map[string]func(dir string) error{
		"! /file":    func(d string) error { return os.WriteFile(d+"/file", []byte("other"), 0o644) },
		"! /mode":    func(d string) error { return os.Chmod(d+"/mode", 0o600) },
		"! /xattr":   func(d string) error { return unix.Lsetxattr(d+"/xattr", "user.a", []byte("2"), 0) },
		"! /link":    func(d string) error { _ = os.Remove(d + "/link"); return os.Symlink("b", d+"/link") },
		"- /gone":    func(d string) error { return os.Remove(d + "/gone") },
		"+ /new":     func(d string) error { return os.Mkdir(d+"/new", 0o755) },
		"! /becomes": func(d string) error { _ = os.Remove(d + "/becomes"); return unix.Mkfifo(d+"/becomes", 0o644) },
	}
	for want, change := range changes {
		t.Run(want[3:], func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			for _, name := range []string{"file", "mode", "xattr", "gone", "becomes", "left"} {
				if err := os.WriteFile(filepath.Join(dir, name), []byte(name), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if err := os.Symlink("a", dir+"/link"); err != nil {
				t.Fatal(err)
			}
			before := treeOf(t, dir)
			if err := change(dir); err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff([]string{want}, Changed(before, treeOf(t, dir))); d != "" {
				t.Errorf("Changed (-want +got):\n%s", d)
			}
		})
	}
}

func TestZero(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "disk")
	if err := os.WriteFile(path, append(make([]byte, 4096), 'x'), 0o600); err != nil {
		t.Fatal(err)
	}
	if !Zero(t, path, 0, 4096) || Zero(t, path, 0, 4097) {
		t.Error("Zero does not tell 4096 zeros from a byte behind them")
	}
}

// TestStripedVolume makes a file system on two partitions by turns and reads it back.
func TestStripedVolume(t *testing.T) {
	t.Parallel()
	if os.Getuid() != 0 {
		require.Missing(t, "loop devices need root")
	}
	root := images.Part{Name: "root", MiB: 32, FS: "ext4", Label: "root", FSUUID: images.RootUUID, Stripes: 2, Tree: images.Tree{{Path: "kept", Data: "kept\n"}}}
	other := images.Part{Name: "other", MiB: 8, FS: "ext4", Label: "other", FSUUID: images.DataUUID}
	disk := images.Image{Label: "gpt", MiB: 64, Parts: []images.Part{
		{Number: 1, Start: 1, MiB: 20, Type: "L", FS: "lvm", Group: "sys"},
		{Number: 2, Start: 21, MiB: 40, Type: "L", FS: "lvm", Group: "sys", Volumes: []images.Part{root, other}},
	}}.Write(t, filepath.Join(t.TempDir(), "disk"))
	for _, name := range []string{"root", "other"} {
		SoundFS(t, Volume(t, disk, "sys", name, 1, 2))
	}
	if got := ReadFile(t, Volume(t, disk, "sys", "root", 1, 2), 0, "kept"); got != "kept\n" {
		t.Errorf("kept holds %q", got)
	}
}

func TestNumber(t *testing.T) {
	t.Parallel()
	for node, want := range map[string]int{"/d/disk.raw14": 14, "/d/disk.rawp3": 3} {
		if got := number(node, "/d/disk.raw"); got != want {
			t.Errorf("number(%q) = %d, want %d", node, got, want)
		}
	}
}

func treeOf(t *testing.T, dir string) Tree {
	t.Helper()
	got, err := readTree(dir)
	if err != nil {
		t.Fatal(err)
	}
	return got
}
