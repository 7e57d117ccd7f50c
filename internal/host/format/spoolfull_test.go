package format

import (
	"bytes"
	"errors"
	"os"
	"strings"
	"testing"

	"snf-image/internal/spec"
)

// TestFullSpool names a file system that fills up.
func TestFullSpool(t *testing.T) {
	t.Parallel()
	b := qcow2Bytes(t)
	full, err := os.OpenFile("/dev/full", os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer full.Close()
	if _, err := Open(spec.Qcow2, Source{Stream: bytes.NewReader(b), Spool: full}); !errors.Is(err, ErrRoom) || !strings.Contains(err.Error(), "no space left") {
		t.Errorf("Open() = %v, want %v", err, ErrRoom)
	}
}
