package filesystem

import (
	"bytes"
	"os"
	"strings"
	"testing"
)

func TestMakeSwapEqualsMkswap(t *testing.T) {
	t.Parallel()
	const uuid = "0fc63daf-8483-4772-8e79-3d69d8477de5"
	ours, theirs := file(t, 16, "mke2fs", "-q", "-t", "ext4"), file(t, 16)
	run(t, "mkswap", "-U", uuid, theirs)
	if got := SwapUUID(ours); got != "" {
		t.Errorf("an ext4 file system is swap space with the UUID %s", got)
	}
	if err := MakeSwap(ours, uuid); err != nil {
		t.Fatal(err)
	}
	if got := SwapUUID(theirs); got != uuid {
		t.Errorf("SwapUUID = %q, want %q", got, uuid)
	}
	got, err := os.ReadFile(ours)
	if err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile(theirs)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got[:128<<10], want[:128<<10]) {
		t.Error("the header differs from mkswap's")
	}
	if out := run(t, "blkid", "-p", ours); !strings.Contains(out, `TYPE="swap"`) || !strings.Contains(out, uuid) {
		t.Errorf("blkid: %s", out)
	}
}

// TestPlaceSwapEqualsMkswap makes swap space with a label in the middle of a disk.
func TestPlaceSwapEqualsMkswap(t *testing.T) {
	t.Parallel()
	const uuid, size, start = "0fc63daf-8483-4772-8e79-3d69d8477de5", 16 << 20, 8 << 20
	theirs, disk := file(t, 16), file(t, 32)
	run(t, "mkswap", "-U", uuid, "-L", "pages", theirs)
	f, err := os.OpenFile(disk, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := PlaceSwap(f, start, size, uuid, "pages"); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(disk)
	if err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile(theirs)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got[start:start+size], want) || bytes.Count(got, []byte{0}) != len(got)-len(want)+bytes.Count(want, []byte{0}) {
		t.Error("the swap space differs from mkswap's, or something else was written")
	}
	if err := PlaceSwap(f, 0, 512<<10, "", "old"); err != nil { // as it was, without a UUID
		t.Error(err)
	}
	if out := run(t, "blkid", "-p", disk); !strings.Contains(out, `TYPE="swap"`) || !strings.Contains(out, `LABEL="old"`) || strings.Contains(out, " UUID=") {
		t.Errorf("blkid: %s", out)
	}
	if err := PlaceSwap(f, start, size, "x", ""); err == nil {
		t.Error("PlaceSwap takes x for a UUID")
	}
}

func TestMakeSwapRefuses(t *testing.T) {
	t.Parallel()
	const uuid = "0fc63daf-8483-4772-8e79-3d69d8477de5"
	for _, tt := range []struct{ name, device, uuid, text string }{
		{"bad UUID", file(t, 2), "x", "not a UUID"},
		{"too small", file(t, 0), uuid, "too few"},
		{"no device", "/nonexistent", uuid, "no such file"},
	} {
		if err := MakeSwap(tt.device, tt.uuid); err == nil || !strings.Contains(err.Error(), tt.text) {
			t.Errorf("%s: MakeSwap = %v, want %q", tt.name, err, tt.text)
		}
	}
}
