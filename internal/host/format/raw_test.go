package format

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"snf-image/internal/report"
	"snf-image/internal/spec"
)

func TestRaw(t *testing.T)      { suite{spec.Raw, encodeRaw}.run(t) }
func TestDiskDump(t *testing.T) { suite{spec.DiskDump, encodeDense}.run(t) }

// encodeRaw leaves holes where 4 KiB blocks are zero.
func encodeRaw(t *testing.T, path string, disk []byte) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := f.Truncate(int64(len(disk))); err != nil {
		t.Fatal(err)
	}
	for off := 0; off < len(disk); off += 4096 {
		block := disk[off:min(off+4096, len(disk))]
		if strings.Trim(string(block), "\x00") == "" {
			continue
		}
		if _, err := f.WriteAt(block, int64(off)); err != nil {
			t.Fatal(err)
		}
	}
}

func encodeDense(t *testing.T, path string, disk []byte) {
	t.Helper()
	if err := os.WriteFile(path, disk, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	for _, f := range []spec.Format{spec.DiskDump, spec.Raw, spec.ExtDump, spec.NTFSDump, spec.Qcow2, spec.VMDK, spec.VHD, spec.VHDX, spec.VDI, spec.Auto} {
		if err := Check(f); err != nil {
			t.Errorf("Check(%s) = %v", f, err)
		}
	}
	for _, f := range []spec.Format{"qed", ""} {
		err := Check(f)
		if err == nil || !strings.Contains(err.Error(), "not in this version") || report.KindOf(err) != report.Usage {
			t.Errorf("Check(%q) = %v, want a usage failure saying not in this version", f, err)
		}
	}
}

// TestRawTruncated cuts the file after it was opened, as a careless
// administrator or an interrupted download would.
func TestRawTruncated(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ data, cut int64 }{
		"inside data": {4 << 20, 1 << 20},
		"inside hole": {2 << 20, 3 << 20},
		"to nothing":  {4 << 20, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "image")
			disk := make([]byte, 4<<20)
			copy(disk, bytes.Repeat([]byte{1}, int(tc.data)))
			encodeRaw(t, path, disk)
			f, err := os.Open(path)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			img, err := Open(spec.Raw, Source{File: f})
			if err != nil {
				t.Fatal(err)
			}
			if err := os.Truncate(path, tc.cut); err != nil {
				t.Fatal(err)
			}
			if err := readAll(img.Disk); !errors.Is(err, ErrTruncated) {
				t.Errorf("reading the cut image = %v, want ErrTruncated", err)
			}
		})
	}
}

// readAll reads every data extent and returns the first error.
func readAll(d Disk) error {
	for e, err := range d.Extents() {
		if err != nil {
			return err
		}
		if e.Zero {
			continue
		}
		if _, err := d.ReadAt(make([]byte, e.Length), e.Offset); err != nil {
			return err
		}
	}
	return nil
}
