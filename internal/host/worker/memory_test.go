package worker

import (
	"bytes"
	"compress/gzip"
	"crypto/rand"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"snf-image/internal/spec"
	"snf-image/tests/require"
)

// TestPageCache: an image that was not in the page cache is not there after it was
// deployed, and one that was still is.
func TestPageCache(t *testing.T) {
	t.Parallel()
	const size = 64 << 20
	f, err := os.CreateTemp("/var/tmp", "image") // /tmp may be memory, of which nothing can be dropped
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	defer os.Remove(f.Name())
	if _, err := io.CopyN(f, rand.Reader, size); err != nil {
		t.Fatal(err)
	}
	for _, cold := range []bool{true, false} {
		if err := f.Sync(); err != nil {
			t.Fatal(err)
		}
		if cold {
			err = unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED)
		} else {
			_, err = io.Copy(io.Discard, io.NewSectionReader(f, 0, size))
		}
		if err != nil {
			t.Fatal(err)
		}
		if isCold(f, size) != cold {
			t.Fatalf("cold: %v, want %v", !cold, cold)
		}
		r := open(t, f.Name(), stale(t, size))
		if _, err := r.write(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := resident(t, f, size); cold && got > size/8 || !cold && got < size/2 {
			t.Errorf("cold %v: %d of %d bytes are in the page cache afterwards", cold, got, size)
		}
	}
}

// resident returns how many bytes of f are in the page cache.
func resident(t *testing.T, f *os.File, size int) int {
	t.Helper()
	n := 0
	for at := int64(0); at < int64(size); at += 4096 {
		in, err := inMemory(int(f.Fd()), at)
		if err != nil {
			t.Fatal(err)
		}
		if in {
			n += 4096
		}
	}
	return n
}

// TestStoredProgress: of an image of which only the end tells how large its disk is, the
// progress is that of the stored bytes.
func TestStoredProgress(t *testing.T) {
	t.Parallel()
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	want := append(noise(1, 5<<20), make([]byte, 20<<20)...)
	if _, err := z.Write(want); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "image.gz")
	if err := os.WriteFile(path, packed.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	r := open(t, path, stale(t, len(want)))
	r.Format = spec.Auto
	var position, total int64
	r.Progress = func(p Progress) { position, total = p.Position, p.Total }
	if _, err := r.write(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := int64(packed.Len()); position != n || total != n {
		t.Errorf("the last progress is %d of %d, want %d", position, total, n)
	}
}

// TestUnpackingProgress: while an image is unpacked that is read in any order, the progress
// is that of the stored bytes; then comes that of the data.
func TestUnpackingProgress(t *testing.T) {
	t.Parallel()
	require.Tool(t, "qemu-img")
	dir := t.TempDir()
	path := filepath.Join(dir, "image.qcow2.gz")
	if err := os.WriteFile(dir+"/raw", noise(1, 20<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	require.Run(t, "", "sh", "-ec", `qemu-img convert -f raw -O qcow2 "$0/raw" "$0/qcow2"; gzip -1 <"$0/qcow2" >"$0/image.qcow2.gz"`, dir)
	r := open(t, path, stale(t, 24<<20))
	spool, err := os.CreateTemp(dir, "spool")
	if err != nil {
		t.Fatal(err)
	}
	defer spool.Close()
	r.Format, r.Spool, r.Interval = spec.Auto, spool, time.Millisecond
	var told []Progress
	r.Progress = func(p Progress) { told = append(told, p) }
	if _, err := r.write(t.Context()); err != nil {
		t.Fatal(err)
	}
	copying := slices.IndexFunc(told, func(p Progress) bool { return !p.Unpacking })
	if copying < 2 || told[0].Position >= told[copying-1].Position {
		t.Fatalf("the progress is %v, want unpacking in several steps, and copying", told)
	}
	if p := told[copying-1]; p.Position != r.Stored || p.Total != r.Stored {
		t.Errorf("unpacking ends at %+v of %d stored bytes", p, r.Stored)
	}
	if p := told[len(told)-1]; p.Unpacking || p.Position != 20<<20 || p.Total != 20<<20 {
		t.Errorf("copying ends at %+v", p)
	}
}
