package format

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"snf-image/internal/host/bootrecord"
	"snf-image/internal/spec"
	"snf-image/tests/require"
)

// extImage makes a file system with a dump that is larger than it by more bytes.
func extImage(t *testing.T, more int64) (path string, data []byte) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "dump")
	require.Run(t, "", "sh", "-c", `PATH=$PATH:/sbin:/usr/sbin; exec mke2fs -q -F -t ext4 "$0" 3M`, path)
	if err := os.Truncate(path, 3<<20+more); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return path, data
}

// sources are the ways a dump comes.
func sources(t *testing.T, path string, data []byte) map[string]Source {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	if _, err := w.Write(data); err != nil || w.Close() != nil {
		t.Fatal(err)
	}
	return map[string]Source{
		"file": {File: f}, "stream": {Stream: bytes.NewReader(data), Stored: int64(len(data))},
		"endless stream": {Stream: bytes.NewReader(data)}, "gzip": {Stream: &packed, Stored: int64(packed.Len())},
	}
}

// TestExtDump makes the same disk of a dump however it comes; where its length is not known
// beforehand the partition is as large as the file system.
func TestExtDump(t *testing.T) {
	t.Parallel()
	for _, more := range []int64{0, 1536} {
		path, data := extImage(t, more)
		for name, s := range sources(t, path, data) {
			img, err := Open(spec.ExtDump, s)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			length := int64(len(data))
			if known := s.File != nil || s.Stored == length; !known {
				length = 0
			}
			before, _, err := bootrecord.New(data[:bootrecord.Head], length)
			if err != nil {
				t.Fatal(err)
			}
			want := slices.Concat(before, data)
			if length != 0 && img.Size != int64(len(want)) || length == 0 && img.Size != 0 || img.Format != spec.ExtDump {
				t.Errorf("%s: %s of %d bytes, want %d", name, img.Format, img.Size, len(want))
			}
			got := []byte(nil)
			if img.Disk != nil {
				got = decode(t, img.Disk)
			} else if got, err = io.ReadAll(img.Stream); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			if !bytes.Equal(got, want) {
				t.Errorf("%s, %d bytes more: the disk of %d bytes differs from the one of %d", name, more, len(got), len(want))
			}
		}
	}
}

// TestExtDumpRefuses knows a dump that was cut, has an odd length, or is something else.
func TestExtDumpRefuses(t *testing.T) {
	t.Parallel()
	path, data := extImage(t, 0)
	for name, c := range map[string]struct {
		data []byte
		want error
	}{
		"cut": {data[:2<<20], ErrTruncated}, "odd": {append(bytes.Clone(data), 1), ErrOdd},
		"a disk": {make([]byte, 1<<20), ErrNotExt}, "short": {data[:512], ErrNotExt}, "empty": {nil, ErrEmpty},
	} {
		if err := os.WriteFile(path, c.data, 0o600); err != nil {
			t.Fatal(err)
		}
		for way, s := range sources(t, path, c.data) {
			img, err := Open(spec.ExtDump, s)
			if err == nil && img.Stream != nil {
				_, err = io.Copy(io.Discard, img.Stream)
			}
			if !errors.Is(err, c.want) && (name != "empty" || !errors.Is(err, ErrNotExt)) {
				t.Errorf("%s, %s: %v, want %v", name, way, err, c.want)
			}
		}
	}
	if err := os.WriteFile(path, append([]byte("QFI\xfb"), data[4:]...), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := Open(spec.ExtDump, Source{File: f}); err == nil {
		t.Error("a file that begins as a qcow2 image is taken for an extdump")
	}
}
