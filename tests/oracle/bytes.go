package oracle

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"testing"
)

// Digest returns the SHA-256 of size bytes of a file from offset on; a negative
// size means to the end.
func Digest(t testing.TB, path string, offset, size int64) string {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if size < 0 {
		size = Size(t, path) - offset
	}
	h := sha256.New()
	n, err := io.Copy(h, io.NewSectionReader(f, offset, size))
	if err != nil || n != size {
		t.Fatalf("reading %d bytes of %s at %d: %d bytes, %v", size, path, offset, n, err)
	}
	return fmt.Sprintf("%x", h.Sum(nil))
}

// Size returns the size of a file in bytes.
func Size(t testing.TB, path string) int64 {
	t.Helper()
	st, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return st.Size()
}

// Zero reports whether size bytes of a file from offset on are zero.
func Zero(t testing.TB, path string, offset, size int64) bool {
	t.Helper()
	b := make([]byte, size)
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.ReadAt(b, offset); err != nil {
		t.Fatal(err)
	}
	return len(bytes.Trim(b, "\x00")) == 0
}

// EndsZero fails the test unless the first and the last MiB of disk are zero,
// as they must be until a deployment has succeeded.
func EndsZero(t testing.TB, disk string) {
	t.Helper()
	const end = 1 << 20
	if !Zero(t, disk, 0, end) {
		t.Errorf("the first MiB of %s is not zero", disk)
	}
	if !Zero(t, disk, Size(t, disk)-end, end) {
		t.Errorf("the last MiB of %s is not zero", disk)
	}
}
