package filesystem

import (
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// ntfsSample returns the boot sector of a file system.
func ntfsSample(sectors uint64, perCluster byte) []byte {
	s := make([]byte, 512)
	copy(s[ntfsMarkAt:], ntfsMark)
	binary.LittleEndian.PutUint16(s[ntfsSector:], 512)
	s[ntfsCluster] = perCluster
	binary.LittleEndian.PutUint64(s[ntfsSectors:], sectors)
	return s
}

func TestReadNTFS(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		sector  []byte
		cluster int64 // 0: refused
		extent  int64
	}{
		"clusters of 4 KiB":  {ntfsSample(2047, 8), 4096, 1 << 20},
		"clusters of 64 KiB": {ntfsSample(2047, 128), 64 << 10, 1 << 20},
		"a power of two":     {ntfsSample(2047, 0xf8), 128 << 10, 1 << 20}, // 2^8 sectors
		"too large a power":  {ntfsSample(2047, 0x81), 0, 0},
		"three sectors":      {ntfsSample(2047, 3), 0, 0},
		"no cluster":         {ntfsSample(2047, 0), 0, 0},
		"no sectors":         {ntfsSample(0, 8), 0, 0},
		"absurd":             {ntfsSample(1<<63, 8), 0, 0},
		"zeros":              {make([]byte, 512), 0, 0},
	} {
		path := filepath.Join(t.TempDir(), "device")
		if err := os.WriteFile(path, c.sector, 0o600); err != nil {
			t.Fatal(err)
		}
		b, _, err := readNTFS(path)
		if (err == nil) != (c.cluster > 0) || err == nil && (b.cluster != c.cluster || b.extent() != c.extent) {
			t.Errorf("%s: %+v, %v", name, b, err)
		}
	}
}

// TestVerdict quotes of what a tool printed the line that says most.
func TestVerdict(t *testing.T) {
	t.Parallel()
	for want, texts := range map[string][]string{
		"Could not get any restart page": {"first\n", "damaged\n** Could not get any restart page\n\n"},
		"ERROR: Volume is full":          {"ntfsresize v2\nERROR: Volume is full\nmore words\n"},
		"":                               {"", "\n"},
	} {
		if got := verdict(texts...); got != want {
			t.Errorf("verdict(%q) = %q, want %q", texts, got, want)
		}
	}
}

// FuzzNTFS reads any boot sector: what is computed of it is never negative, and a size that
// it can fill is one that can be filled.
func FuzzNTFS(f *testing.F) {
	f.Add(ntfsSample(2047, 8))
	f.Add(ntfsSample(1<<40, 0xf4))
	f.Fuzz(func(t *testing.T, data []byte) {
		path := filepath.Join(t.TempDir(), "device")
		if err := os.WriteFile(path, append(data, make([]byte, 512)...), 0o600); err != nil {
			t.Fatal(err)
		}
		b, _, err := readNTFS(path)
		if err != nil {
			return
		}
		if b.cluster <= 0 || b.extent() <= 0 {
			t.Errorf("%+v", b)
		}
		if limit, ok := errors.AsType[*LimitError](canFillNTFS(path, 1<<62)); ok && canFillNTFS(path, limit.Limit) != nil {
			t.Errorf("%d is too large, too", limit.Limit)
		}
	})
}
