package helper

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// seals freeze a memory file for good, also for its maker.
const seals = unix.F_SEAL_SHRINK | unix.F_SEAL_GROW | unix.F_SEAL_WRITE | unix.F_SEAL_SEAL

var (
	errSize   = errors.New("damaged: its size is not that of the manifest")
	errDigest = errors.New("damaged: its digest is not that of the manifest")
)

// sealedCopy returns a sealed memory file with the content of the file name, if
// it is what want describes. The memory is hashed after it was sealed.
func sealedCopy(name string, want File) (*os.File, error) {
	fd, err := unix.MemfdCreate(want.Name, unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	if err != nil {
		return nil, fmt.Errorf("making a memory file: %w", err)
	}
	memory := os.NewFile(uintptr(fd), want.Name)
	if err := fill(memory, name, want); err != nil {
		memory.Close()
		return nil, err
	}
	return memory, nil
}

func fill(memory *os.File, name string, want File) error {
	if err := copyTo(memory, name, want.Size); err != nil {
		return err
	}
	if err := seal(memory); err != nil {
		return fmt.Errorf("sealing a memory file: %w", err)
	}
	digest, err := digestMemory(memory, want.Size)
	if err != nil {
		return err
	}
	if digest != want.Digest {
		return errDigest
	}
	return nil
}

// sealPatience is how long sealing waits for the kernel to let go of pages.
const sealPatience = 10 * time.Second

// seal freezes memory. The kernel refuses that with EBUSY while anything else holds one
// of the pages, as what copied them may do for a moment; on a busy node that outlasts the
// fraction of a second it waits by itself (mm/memfd.c, memfd_wait_for_pins).
func seal(memory *os.File) error {
	for begin := time.Now(); ; time.Sleep(50 * time.Millisecond) {
		_, err := unix.FcntlInt(memory.Fd(), unix.F_ADD_SEALS, seals)
		if !errors.Is(err, unix.EBUSY) || time.Since(begin) > sealPatience {
			return err
		}
	}
}

// copyTo copies exactly size bytes of the regular file name.
func copyTo(memory *os.File, name string, size int64) error {
	f, err := os.OpenFile(name, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return err
	}
	if !st.Mode().IsRegular() || st.Size() != size {
		return errSize
	}
	n, err := io.Copy(memory, io.LimitReader(f, size)) // sendfile or copy_file_range
	if err != nil {
		return fmt.Errorf("reading: %w", err)
	}
	if n != size {
		return errSize
	}
	_, err = memory.Seek(0, io.SeekStart)
	return err
}

// digestMemory hashes a sealed memory file where it lies. The mapping is
// private, since kernels before 6.7 refuse a shared one of a sealed file.
func digestMemory(memory *os.File, size int64) (string, error) {
	b, err := unix.Mmap(int(memory.Fd()), 0, int(size), unix.PROT_READ, unix.MAP_PRIVATE|unix.MAP_POPULATE)
	if err != nil {
		return "", fmt.Errorf("mapping a memory file: %w", err)
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:]), unix.Munmap(b)
}
