package task

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"snf-image/internal/guest/filesystem"
	"snf-image/internal/guest/partition"
	"snf-image/internal/report"
	"snf-image/internal/spec"
	"snf-image/tests/require"
)

// needs skips the test without a program of this machine.
func needs(t *testing.T, name string) {
	t.Helper()
	require.Tool(t, name)
}

// diskRun returns a Run on a disk file of 64 MiB whose table, of 32 MiB, the
// script of sfdisk makes, and the number of times Remap was called.
func diskRun(t *testing.T, script string) (r *Run, remapped *int) {
	t.Helper()
	needs(t, "sfdisk")
	path := filepath.Join(t.TempDir(), "disk")
	if err := os.WriteFile(path, make([]byte, 32<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	if script != "" {
		cmd := exec.Command("sfdisk", "-q", path)
		cmd.Stdin = strings.NewReader(script)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("sfdisk: %v\n%s", err, out)
		}
	}
	if err := os.Truncate(path, 64<<20); err != nil {
		t.Fatal(err)
	}
	remapped = new(int)
	return &Run{
		Plan:       &spec.Plan{SwapPartitionUUID: "0FC63DAF-8483-4772-8E79-3D69D8477DE4"},
		Inspection: &report.Inspection{DiskBytes: 64 << 20, OSFamily: "linux", RootPartition: 1, Root: "disk-a1"},
		Disks:      []Disk{{Path: path}},
		Log:        silent(),
		Remap:      func(int) error { *remapped++; return nil },
		Emit:       func(report.Event) {},
	}, remapped
}

const oneGPT = "label: gpt\nstart=2048, size=8192\n"

func TestFixPartitionTable(t *testing.T) {
	t.Parallel()
	r, remapped := diskRun(t, oneGPT)
	r.Plan.Swap = &spec.Swap{Partition: 5, MiB: 4}
	if err := fixPartitionTable(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	if r.Resize != r.Disks[0].Volume(1) || r.SwapPartition != 5 || *remapped != 1 {
		t.Errorf("resized %q, swap %d, remapped %d times; want 1, 5, 1", r.Resize, r.SwapPartition, *remapped)
	}
	f, err := os.Open(r.Disks[0].Path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	table, err := partition.Read(f, 64<<20)
	if err != nil {
		t.Fatal(err)
	}
	p, _ := table.Partition(1)
	if want := int64(59 << 20); p.End() != want {
		t.Errorf("partition 1 ends at %d, want %d", p.End(), want)
	}
}

func TestFixPartitionTableFails(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, script, text, remedy string
		change                     func(r *Run)
	}{
		{"no table", "", "no MBR or GPT", "whole disk", func(*Run) {}},
		{"no room", oneGPT, "not enough room", "larger disk", func(r *Run) { r.Plan.Swap = &spec.Swap{Partition: 2, MiB: 100} }},
		{"damaged", "label: dos\nstart=2048, size=8192\n", "damaged", "repair", func(r *Run) { r.Inspection.DiskBytes = 2 << 20 }},
		{"no disk", oneGPT, "opening the disk", "", func(r *Run) { r.Disks[0].Path = "/nonexistent" }},
		{"mapping", oneGPT, "mapping the partitions anew: no", "", func(r *Run) { r.Remap = func(int) error { return errors.New("no") } }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r, _ := diskRun(t, tt.script)
			tt.change(r)
			err := fixPartitionTable(t.Context(), r)
			remedy := ""
			if e, ok := errors.AsType[*Remedied](err); ok {
				remedy = e.Remedy
			}
			if err == nil || !strings.Contains(err.Error(), tt.text) || !strings.Contains(remedy, tt.remedy) {
				t.Errorf("fixPartitionTable = %v; %s, want %q; %q", err, remedy, tt.text, tt.remedy)
			}
		})
	}
}

func TestSwapIsForLinux(t *testing.T) {
	t.Parallel()
	r := &Run{Plan: &spec.Plan{Swap: &spec.Swap{Partition: 2, MiB: 1}}, Inspection: &report.Inspection{OSFamily: "freebsd"}}
	if s := swapOf(r); s != nil {
		t.Errorf("swapOf = %+v, want none", s)
	}
	err := noSwap(t.Context(), r)
	if _, ok := errors.AsType[*Skipped](err); !ok || len(r.warnings) != 1 {
		t.Errorf("noSwap = %v with warnings %q, want skipped and one warning", err, r.warnings)
	}
}

func TestResizeWarnsOfOthers(t *testing.T) {
	t.Parallel()
	for kind, text := range map[string]string{"f2fs": "f2fs is not in this version", "": "no known file system", "vfat": "vfat"} {
		r := &Run{Resize: "disk-a2", Volumes: []filesystem.Volume{{Name: "disk-a2", Number: 2, Type: kind}}}
		if err := resizeUnmounted(t.Context(), r); err != nil {
			t.Errorf("%s: %v", kind, err)
		}
		if len(r.warnings) != 1 || !strings.Contains(r.warnings[0], text) {
			t.Errorf("%s: warnings %q, want %q", kind, r.warnings, text)
		}
	}
}

// TestForesee: what cannot work is refused before anything is written, and the largest
// size that works is named.
func TestForesee(t *testing.T) {
	t.Parallel()
	needs(t, "mke2fs")
	for _, tt := range []struct {
		name, features string
		change         func(r *Run)
		text, remedy   string
	}{
		{"cannot grow", "sparse_super2", nil, "to 65011712 bytes: it can have 4194304 bytes at most", "EXCLUDE_TASK_FILESYSTEMRESIZEUNMOUNTED"},
		{"can grow", "^sparse_super2", nil, "", ""},
		{"is not to grow", "sparse_super2", func(r *Run) {
			r.Plan.Exclude = map[string]string{spec.FilesystemResizeUnmounted: "x"}
		}, "", ""},
		{"no room for swap", "^sparse_super2", func(r *Run) { r.Plan.Swap = &spec.Swap{Partition: 2, MiB: 100} }, "not enough room", "smaller SWAP"},
		{"table is left alone", "sparse_super2", func(r *Run) { r.Plan.Tasks = nil }, "", ""},
		{"other file system", "sparse_super2", func(r *Run) { r.Volumes[0].Type = "f2fs" }, "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r, _ := diskRun(t, oneGPT)
			path := filepath.Join(t.TempDir(), "part")
			if out, err := exec.Command("mke2fs", "-q", "-t", "ext4", "-O", tt.features, path, "4M").CombinedOutput(); err != nil {
				t.Fatalf("mke2fs: %v %s", err, out)
			}
			r.Plan.Tasks = []string{spec.FixPartitionTable, spec.FilesystemResizeUnmounted}
			r.Volumes = []filesystem.Volume{{Name: r.Disks[0].Volume(1), Path: path, Number: 1, Type: "ext4"}}
			if tt.change != nil {
				tt.change(r)
			}
			before, _ := os.ReadFile(r.Disks[0].Path)
			_, err := r.foreseeGrowth()
			remedied, _ := errors.AsType[*Remedied](err)
			switch {
			case tt.text == "" && err != nil:
				t.Errorf("foreseeGrowth = %v", err)
			case tt.text != "" && (remedied == nil || !strings.Contains(err.Error(), tt.text) || !strings.Contains(remedied.Remedy, tt.remedy)):
				t.Errorf("foreseeGrowth = %v, want %q and a remedy with %q", err, tt.text, tt.remedy)
			}
			if after, err := os.ReadFile(r.Disks[0].Path); err != nil || !bytes.Equal(before, after) {
				t.Errorf("the disk changed (%v)", err)
			}
		})
	}
}

// TestFixPartitionTableErases has what was behind the partition end up in it and in
// swap space: there is nothing left of it when the table says so.
func TestFixPartitionTableErases(t *testing.T) {
	t.Parallel()
	r, _ := diskRun(t, oneGPT)
	const old = 5 << 20 // end of the partition
	f, err := os.OpenFile(r.Disks[0].Path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteAt(bytes.Repeat([]byte{0xa5}, 64<<20-old), old); err != nil {
		t.Fatal(err)
	}
	r.Plan.Swap = &spec.Swap{Partition: 5, MiB: 4}
	if err := fixPartitionTable(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, 64<<20)
	if _, err := f.ReadAt(got, 0); err != nil {
		t.Fatal(err)
	}
	const backup = 64<<20 - 33*512
	for _, zero := range [][2]int{{old, 6 << 20}, {57 << 20, backup}} {
		if n := len(bytes.Trim(got[zero[0]:zero[1]], "\x00")); n != 0 {
			t.Errorf("from %d to %d there are %d bytes of former contents", zero[0], zero[1], n)
		}
	}
	if n := bytes.Count(got[6<<20:57<<20], []byte{0xa5}); n != 51<<20 {
		t.Errorf("of the bytes far from all ends %d are left", n)
	}
	if !bytes.HasPrefix(got[64<<20-512:], []byte("EFI PART")) {
		t.Error("the GPT has no backup")
	}
}

// TestGrowthIsVerified has a file system that is damaged by what grows it and says that
// it succeeded.
func TestGrowthIsVerified(t *testing.T) {
	t.Parallel()
	needs(t, "debugfs")
	for _, tt := range []struct {
		name    string
		damage  bool
		unclean bool
	}{{"sound", false, false}, {"damaged", true, true}} {
		path := filepath.Join(t.TempDir(), "part")
		if out, err := exec.Command("mke2fs", "-q", "-t", "ext4", path, "16M").CombinedOutput(); err != nil {
			t.Fatalf("mke2fs: %v %s", err, out)
		}
		check(t, os.Truncate(path, 64<<20))
		var notes []string
		r := &Run{
			Plan: &spec.Plan{}, Log: silent(), Load: func(string) error { return nil },
			Emit: func(e report.Event) { notes = append(notes, e.Messages...) },
		}
		err := r.growVolume(t.Context(), filesystem.Volume{Path: path, Number: 1, Type: "ext4"}, func(v filesystem.Volume, _ string, _ bool) error {
			if out, err := exec.Command("resize2fs", "-f", v.Path).CombinedOutput(); err != nil {
				t.Fatalf("resize2fs: %v %s", err, out)
			}
			if tt.damage {
				check(t, exec.Command("debugfs", "-w", "-R", "freeb 1 20", v.Path).Run())
			}
			return nil
		})
		if errors.Is(err, filesystem.ErrUnclean) != tt.unclean || err != nil && !tt.unclean {
			t.Errorf("%s: growVolume = %v", tt.name, err)
		}
		want := []string{"the file system of partition 1 grew from 16777216 to 67108864 bytes"}
		if diff := cmp.Diff(want, notes); diff != "" {
			t.Errorf("%s: notes (-want +got):\n%s", tt.name, diff)
		}
	}
}

// TestFixPartitionTableVerifies has a disk that does not keep what is written.
func TestFixPartitionTableVerifies(t *testing.T) {
	t.Parallel()
	r, _ := diskRun(t, oneGPT)
	before, err := os.ReadFile(r.Disks[0].Path)
	if err != nil {
		t.Fatal(err)
	}
	r.Remap = func(int) error { return os.WriteFile(r.Disks[0].Path, before, 0o600) }
	if err := fixPartitionTable(t.Context(), r); err == nil || !strings.Contains(err.Error(), "is not the one that was written") {
		t.Errorf("fixPartitionTable = %v, want an error", err)
	}
}

func TestSwapDevice(t *testing.T) {
	t.Parallel()
	disks := []Disk{{Path: "/dev/disk-a"}, {Path: "/dev/disk-b"}, {Path: "/dev/disk-c", ReadOnly: true}}
	for _, tt := range []struct {
		name string
		swap spec.Swap
		made int
		want string
		text string
	}{
		{"partition", spec.Swap{Partition: 3}, 3, "/dev/disk-a3", ""},
		{"partition not made", spec.Swap{Partition: 3}, 0, "", "was not made"},
		{"disk", spec.Swap{Disk: 1}, 0, "/dev/disk-b", ""},
		{"read-only disk", spec.Swap{Disk: 2}, 0, "", "read-only"},
		{"no such disk", spec.Swap{Disk: 3}, 0, "", "no disk 3"},
	} {
		r := &Run{Plan: &spec.Plan{Swap: &tt.swap}, Disks: disks, SwapPartition: tt.made}
		got, err := r.swapDevice()
		if got != tt.want || (err != nil) != (tt.text != "") || err != nil && !strings.Contains(err.Error(), tt.text) {
			t.Errorf("%s: swapDevice = %q, %v", tt.name, got, err)
		}
	}
}

// TestWithoutSwap removes what withSwap added for swap space that is gone, and
// nothing that resembles it.
func TestWithoutSwap(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, in, want string }{
		{"ours", "a / ext4\nUUID=u none swap sw 0 0\nb /b ext4", "a / ext4\nb /b ext4"},
		{"carriage returns", "a / ext4\r\nUUID=u none swap sw 0 0\r\n", "a / ext4\r\n"},
		{"another's", "UUID=u none swap defaults 0 0\nUUID=v none swap sw 0 0\n#UUID=u none swap sw 0 0\n", "UUID=u none swap defaults 0 0\nUUID=v none swap sw 0 0\n#UUID=u none swap sw 0 0\n"},
	} {
		if got := string(withoutSwap([]byte(tt.in), "u")); got != tt.want {
			t.Errorf("%s: withoutSwap(%q) = %q, want %q", tt.name, tt.in, got, tt.want)
		}
	}
	if got := string(withoutSwap([]byte("UUID= none swap sw 0 0\n"), "")); got != "UUID= none swap sw 0 0\n" {
		t.Errorf("without an earlier one: %q", got)
	}
}

func TestWithSwap(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, in, want string }{
		{"empty", "", "UUID=u none swap sw 0 0\n"},
		{"usual", "a / ext4\n", "a / ext4\nUUID=u none swap sw 0 0\n"},
		{"no last line end", "a / ext4", "a / ext4\nUUID=u none swap sw 0 0\n"},
		{"carriage returns", "a / ext4\r\n", "a / ext4\r\nUUID=u none swap sw 0 0\r\n"},
	} {
		if got := string(withSwap([]byte(tt.in), "u")); got != tt.want {
			t.Errorf("%s: withSwap(%q) = %q, want %q", tt.name, tt.in, got, tt.want)
		}
	}
}
