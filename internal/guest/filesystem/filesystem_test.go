package filesystem

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"snf-image/tests/require"

	"github.com/google/go-cmp/cmp"
)

// tool skips the test when a reference tool is missing.
func tool(t *testing.T, name string) {
	t.Helper()
	require.Tool(t, name)
}

// run runs a reference tool.
func run(t *testing.T, args ...string) string {
	t.Helper()
	return require.Run(t, "", args...)
}

// file makes a file of mib MiB with the file system the command makes.
func file(t *testing.T, mib int64, mkfs ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "volume")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, mib<<20); err != nil {
		t.Fatal(err)
	}
	if len(mkfs) > 0 {
		run(t, append(mkfs, path)...)
	}
	return path
}

func TestProbe(t *testing.T) {
	t.Parallel()
	const uuid = "2bd6b8fb-292a-4339-93b3-6ae97da223b8"
	tool(t, "blkid")
	volumes := []Volume{
		{Path: file(t, 1), Number: 1},
		{Path: file(t, 8, "mke2fs", "-q", "-t", "ext4", "-U", uuid, "-L", "my $root"), Number: 2},
		{Path: file(t, 1), Number: 3},
		{Path: file(t, 8, "mkfs.vfat", "-i", "1234abcd", "-n", "ESP"), Number: 4},
		{Path: file(t, 8, "mkswap"), Number: 5},
	}
	if err := Probe(context.Background(), volumes); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, v := range volumes {
		if v.Number == 5 {
			v.UUID = ""
		}
		got = append(got, strings.Join([]string{v.Type, v.UUID, v.Label}, "|"))
	}
	want := []string{"||", "ext4|" + uuid + "|my $root", "||", "vfat|1234-ABCD|ESP", "swap||"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Probe (-want +got):\n%s", diff)
	}
}

func TestProbeOfNothingThere(t *testing.T) {
	t.Parallel()
	tool(t, "blkid")
	volumes := []Volume{{Path: filepath.Join(t.TempDir(), "absent")}}
	if err := Probe(context.Background(), volumes); err != nil || volumes[0].Type != "" {
		t.Errorf("Probe = %v, type %q; want nothing recognized", err, volumes[0].Type)
	}
}

func TestCheckRefusesDamage(t *testing.T) {
	t.Parallel()
	path := file(t, 16, "mke2fs", "-q", "-t", "ext4")
	tool(t, "debugfs")
	run(t, "debugfs", "-w", "-R", "clri <2>", path) // the root directory is gone
	if _, err := checkExt(t.Context(), path, true); !errors.Is(err, ErrUnclean) {
		t.Errorf("Check = %v, want ErrUnclean", err)
	}
}

func TestCheckReplaysJournal(t *testing.T) {
	t.Parallel()
	path := file(t, 16, "mke2fs", "-q", "-t", "ext4")
	tool(t, "debugfs")
	run(t, "debugfs", "-w", "-R", "feature needs_recovery", path)
	if fillsExt(path) {
		t.Fatal("a file system with a journal to replay is clean")
	}
	if _, err := checkExt(t.Context(), path, false); err != nil {
		t.Fatal(err)
	}
	if !fillsExt(path) {
		t.Error("the file system is not clean after the check")
	}
}

func TestCheckOfNoFileSystem(t *testing.T) {
	t.Parallel()
	tool(t, "e2fsck")
	for _, force := range []bool{false, true} {
		if _, err := checkExt(t.Context(), file(t, 1), force); err == nil {
			t.Errorf("checkExt(%v) of zeros succeeded", force)
		}
	}
}

func TestMountRefuses(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ kind, text string }{
		{"f2fs", "f2fs is not in this version"},
		{"", "no known file system"},
	} {
		if err := Mount(Volume{Path: "/dev/null", Type: tt.kind}, t.TempDir(), true); err == nil || !strings.Contains(err.Error(), tt.text) {
			t.Errorf("Mount of %q = %v, want %q", tt.kind, err, tt.text)
		}
		if _, err := MountReadOnly(Volume{Path: "/dev/null", Type: tt.kind}, t.TempDir()); err == nil {
			t.Errorf("MountReadOnly of %q succeeded", tt.kind)
		}
	}
}

func TestFills(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		mkfs   []string
		change func(t *testing.T, path string)
		want   bool
	}{
		{"as made", []string{"mke2fs", "-q", "-t", "ext4"}, nil, true},
		{"64-bit block numbers", []string{"mke2fs", "-q", "-t", "ext4", "-O", "64bit", "-b", "4096"}, nil, true},
		{"ext2", []string{"mke2fs", "-q", "-t", "ext2", "-b", "1024"}, nil, true},
		{"larger device", []string{"mke2fs", "-q", "-t", "ext4"}, func(t *testing.T, path string) {
			if err := os.Truncate(path, 32<<20); err != nil {
				t.Fatal(err)
			}
		}, false},
		{"errors recorded", []string{"mke2fs", "-q", "-t", "ext4"}, func(t *testing.T, path string) {
			f, err := os.OpenFile(path, os.O_WRONLY, 0)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			if _, err := f.WriteAt([]byte{stateClean | 2}, superAt+superState); err != nil {
				t.Fatal(err)
			}
		}, false},
		{"no file system", nil, nil, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			path := file(t, 16, tt.mkfs...)
			if tt.change != nil {
				tt.change(t, path)
			}
			if got := fillsExt(path); got != tt.want {
				t.Errorf("fillsExt() = %v, want %v", got, tt.want)
			}
		})
	}
}

func FuzzParseBlkid(f *testing.F) {
	f.Add([]byte("DEVNAME=a\nTYPE=x\nLABEL=a\\ b\\\n\nDEVNAME=b"))
	f.Fuzz(func(_ *testing.T, data []byte) { parseBlkid(data) })
}
