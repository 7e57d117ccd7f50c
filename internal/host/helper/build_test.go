package helper

import (
	"os"
	"testing"
)

// BenchmarkOpen opens the helper image in SNF_HELPER_DIR.
func BenchmarkOpen(b *testing.B) {
	dir := os.Getenv("SNF_HELPER_DIR")
	if dir == "" {
		b.Skip("SNF_HELPER_DIR is not set")
	}
	for b.Loop() {
		image, err := Open(dir, OpenOptions{AnyRelease: true})
		if err != nil {
			b.Fatal(err)
		}
		image.Close()
	}
}
