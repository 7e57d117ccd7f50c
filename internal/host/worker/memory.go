package worker

import (
	"os"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// samples is how many places of an image tell whether it is in memory.
const samples = 64

// isCold reports whether the image f is not in the page cache, from which it would push
// what others of this node need. One that is there mostly stays: somebody uses it. It is
// for the host to find out, because a stranger to the file is not told.
func isCold(f *os.File, size int64) bool {
	if f == nil {
		return false
	}
	fd, there, all := int(f.Fd()), 0, 0
	for i := range int64(samples) {
		at, err := unix.Seek(fd, size/samples*i, unix.SEEK_DATA) // holes are in nobody's way
		if err != nil {
			break // a device, a pipe, or no data behind
		}
		in, err := inMemory(fd, at)
		if err != nil {
			return false
		}
		all++
		if in {
			there++
		}
	}
	_, err := unix.Seek(fd, 0, unix.SEEK_SET)
	return err == nil && there*2 < all
}

// inMemory reports whether the page at off of a file is in the page cache (mincore(2)).
func inMemory(fd int, off int64) (bool, error) {
	page := int64(os.Getpagesize())
	b, err := unix.Mmap(fd, off/page*page, int(page), unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		return false, err
	}
	defer unix.Munmap(b) //nolint:errcheck // it is one of Mmap's
	var in [1]byte
	_, _, errno := unix.Syscall(unix.SYS_MINCORE, uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)), uintptr(unsafe.Pointer(&in)))
	if errno != 0 {
		return false, errno
	}
	return in[0]&1 != 0, nil
}

// shed keeps dropping the image from the page cache, until the returned function is
// called, and once more then. Only what is read meanwhile is there again.
func (j Job) shed() (stop func()) {
	if !j.Cold {
		return func() {}
	}
	drop := func() { _ = unix.Fadvise(int(j.From.Fd()), 0, 0, unix.FADV_DONTNEED) } // it is advice
	quit, gone := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(gone)
		tick := time.NewTicker(interval)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				drop()
			case <-quit:
				drop()
				return
			}
		}
	}()
	return func() { close(quit); <-gone }
}
