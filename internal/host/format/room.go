package format

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// Reserves of a file system on which images are kept.
const (
	// others is the part of it, one in so many, that is left to others: a server, which may
	// tell no length, must not fill it.
	others = 20
	// maxOthers bounds that in bytes.
	maxOthers = 1 << 30
	// glance is after how many bytes the room is looked at again.
	glance = 16 << 20
)

// roomFor checks that n bytes fit on the file system of f, beside what is left to others.
func roomFor(f *os.File, n int64) error {
	var st unix.Statfs_t
	if err := unix.Fstatfs(int(f.Fd()), &st); err != nil {
		return fmt.Errorf("looking for room to unpack it: %w", err)
	}
	left := min(int64(st.Blocks)*st.Bsize/others, maxOthers)
	if free := int64(st.Bavail) * st.Bsize; free-left < n {
		return fmt.Errorf("%w: it takes %d bytes, %d are free, and %d of these are left to others", ErrRoom, n, free, min(left, free))
	}
	return nil
}

// keeper writes to a file as long as there is room.
type keeper struct {
	file   *os.File
	unseen int64 // bytes until it looks again
}

// Write writes p, if its bytes and those until the next look fit.
func (k *keeper) Write(p []byte) (int, error) {
	if k.unseen -= int64(len(p)); k.unseen <= 0 {
		if err := roomFor(k.file, int64(len(p))); err != nil {
			return 0, err
		}
		k.unseen = glance
	}
	return k.file.Write(p)
}
