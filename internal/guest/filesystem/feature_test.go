package filesystem

import (
	"encoding/binary"
	"errors"
	"os"
	"strings"
	"testing"
)

// TestFeatures has superblocks with features that the helper's kernel does not know: they
// are named, with their bit and the kernel that knows them.
func TestFeatures(t *testing.T) {
	t.Parallel()
	xfs := func(at int, bits uint32) func(string) error {
		return func(path string) error {
			s, _, err := readXFS(path)
			if err != nil {
				return err
			}
			binary.BigEndian.PutUint32(s[at:], uint32(s.u32(at))|bits)
			return s.check("6.12.118+deb13-cloud-amd64")
		}
	}
	btrfs := func(at int, bits uint64) func(string) error {
		return func(path string) error {
			s, _, err := readBtrfs(path)
			if err != nil {
				return err
			}
			binary.LittleEndian.PutUint64(s[at:], s.u64(at)|bits)
			return s.check("6.1.0-56-cloud-amd64")
		}
	}
	for name, tt := range map[string]struct {
		mkfs  string
		check func(path string) error
		is    error
		text  string
	}{
		"xfs as made":           {"mkfs.xfs", xfs(xfsIncompat, 0), nil, ""},
		"xfs of Linux 6.12":     {"mkfs.xfs", xfs(xfsIncompat, 0xe0), nil, ""},
		"xfs of Linux 6.13":     {"mkfs.xfs", xfs(xfsIncompat, 0x100), ErrFeature, "metadir (bit 8 of the incompatible features of XFS), which takes Linux 6.13; the helper has 6.12.118"},
		"xfs of the future":     {"mkfs.xfs", xfs(xfsIncompat, 1<<30), ErrFeature, "bit 30 of the incompatible features of XFS"},
		"xfs, read-only ones":   {"mkfs.xfs", xfs(xfsReadOnly, 1<<20), ErrFeature, "bit 20 of the read-only features of XFS"},
		"xfs in need of repair": {"mkfs.xfs", xfs(xfsIncompat, 1<<4), ErrUnclean, "in need of repair"},
		"xfs with realtime":     {"mkfs.xfs", xfs(xfsRealtime, 1), ErrExternal, "its realtime section"},
		"btrfs as made":         {"mkfs.btrfs", btrfs(btrfsIncompat, 0), nil, ""},
		"btrfs of Linux 6.7":    {"mkfs.btrfs", btrfs(btrfsIncompat, 1<<16), ErrFeature, "simple quotas (bit 16 of the incompatible features of btrfs), which takes Linux 6.7"},
		"btrfs, two devices":    {"mkfs.btrfs", btrfs(btrfsDevices, 2), ErrExternal, "it consists of 3 devices"},
		"btrfs, stripes":        {"mkfs.btrfs", btrfs(btrfsIncompat, 1<<14), ErrFeature, "bit 14"},
	} {
		path := file(t, 320, tt.mkfs, "-q")
		err := tt.check(path)
		if !errors.Is(err, tt.is) || err != nil && !strings.Contains(err.Error(), tt.text) {
			t.Errorf("%s: %v, want %q", name, err, tt.text)
		}
		if tt.is == ErrFeature && !Unsupported(err) {
			t.Errorf("%s: %v is not taken for a missing feature", name, err)
		}
	}
}

// TestHostileSuperblocks has numbers with which nothing can be computed.
func TestHostileSuperblocks(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		kind, mkfs string
		at         int64
		bytes      string
	}{
		{"xfs", "mkfs.xfs", xfsBlockSize, "\x00\x00\x00\x00"},
		{"xfs", "mkfs.xfs", xfsBlockSize, "\x80\x00\x00\x00"},
		{"xfs", "mkfs.xfs", xfsAGBlocks, "\x00\x00\x00\x00"},
		{"xfs", "mkfs.xfs", xfsBlocks, "\xff\xff\xff\xff"},
		{"btrfs", "mkfs.btrfs", btrfsAt + btrfsSector, "\x00\x00\x00\x00"},
		{"btrfs", "mkfs.btrfs", btrfsAt + btrfsDeviceEnd, "\xff\xff\xff\xff\xff\xff\xff\xff"},
	} {
		path := file(t, 320, tt.mkfs, "-q")
		f, err := os.OpenFile(path, os.O_WRONLY, 0)
		if err == nil {
			_, err = f.WriteAt([]byte(tt.bytes), tt.at)
		}
		if err != nil {
			t.Fatal(err)
		}
		f.Close()
		k := Volume{Type: tt.kind}.Kind()
		if _, err := k.Extent(path); err == nil || k.Fills(path) || k.CanFill(path, 1<<40) == nil || k.Supports(path) == nil {
			t.Errorf("%s, %q at %d is taken for a file system", tt.kind, tt.bytes, tt.at)
		}
	}
}
