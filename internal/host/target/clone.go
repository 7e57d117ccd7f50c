package target

import (
	"fmt"
	"os"
	"sync/atomic"

	"snf-image/internal/report"

	"golang.org/x/sys/unix"
)

// cloner lets a disk file share the blocks of an image file on the same file system.
type cloner struct {
	to   *os.File // nil for a disk that is not a file
	lack atomic.Bool
}

// clone makes n bytes at off those of src at off (ioctl_ficlonerange(2)), and says
// whether it could. Whatever the reason, the caller writes them then.
func (c *cloner) clone(src *os.File, off, n int64) bool {
	if c.to == nil || src == nil || c.lack.Load() || n == 0 {
		return false
	}
	r := unix.FileCloneRange{Src_fd: int64(src.Fd()), Src_offset: uint64(off), Src_length: uint64(n), Dest_offset: uint64(off)}
	err := retry(func() error { return unix.IoctlFileCloneRange(int(c.to.Fd()), &r) })
	if err != nil {
		c.lack.Store(true)
		return false
	}
	return true
}

// WriteFrom is WriteAt for bytes that the file src, if it is not nil, has at off, too:
// where the file system can, disk and image share them. The ends of the disk share
// nothing.
func (w *Writer) WriteFrom(src *os.File, p []byte, off int64) (int, error) {
	total := len(p)
	for len(p) > 0 {
		n := int(min(w.border(off)-off, int64(len(p))))
		whole := n - n%Align
		if end, _ := w.end(off); end != nil || off%Align != 0 || !w.cloner.clone(src, off, int64(whole)) {
			whole = 0
		}
		if err := w.writePart(p[whole:n], off+int64(whole)); err != nil {
			return total - len(p), fmt.Errorf("writing %d bytes at %d: %w", n, off, report.Bare(err))
		}
		w.data.Add(int64(n))
		p, off = p[n:], off+int64(n)
	}
	return total, nil
}
