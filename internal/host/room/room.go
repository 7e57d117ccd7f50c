// Package room looks whether a file system has room for what is about to be stored, and
// leaves a part of it to others: a server, which may tell no length, must not fill it.
package room

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// Reserves of a file system on which images are kept.
const (
	// others is the part of it, one in so many, that is left to others.
	others = 20
	// maxOthers bounds that in bytes.
	maxOthers = 1 << 30
	// glance is after how many bytes the room is looked at again.
	glance = 16 << 20
)

// Short is the error of something that does not fit.
type Short struct{ need, free, left int64 }

func (s Short) Error() string {
	return fmt.Sprintf("it takes %d bytes, %d are free, and %d of these are left to others", s.need, s.free, s.left)
}

// For checks that n bytes fit on the file system of f, beside what is left to others.
func For(f *os.File, n int64) error {
	var st unix.Statfs_t
	if err := unix.Fstatfs(int(f.Fd()), &st); err != nil {
		return fmt.Errorf("looking for room: %w", err)
	}
	left := min(int64(st.Blocks)*st.Bsize/others, maxOthers)
	if free := int64(st.Bavail) * st.Bsize; free-left < n {
		return Short{n, free, min(left, free)}
	}
	return nil
}

// Keeper writes to a file as long as there is room.
type Keeper struct {
	File   *os.File
	unseen int64 // bytes until it looks again
}

// Write writes p, if its bytes and those until the next look fit.
func (k *Keeper) Write(p []byte) (int, error) {
	if k.unseen -= int64(len(p)); k.unseen <= 0 {
		if err := For(k.File, int64(len(p))); err != nil {
			return 0, err
		}
		k.unseen = glance
	}
	return k.File.Write(p)
}
