package target

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"snf-image/internal/report"
)

// notSame refuses a disk that is the image, by whatever name: the same file or
// device, a loop device on it, a partition of it or the disk it is on.
func notSame(d *Disk, image *os.File) error {
	if image == nil {
		return nil
	}
	var a, b unix.Stat_t
	if err := errors.Join(unix.Fstat(int(d.File.Fd()), &a), unix.Fstat(int(image.Fd()), &b)); err != nil {
		return failure(report.Disk, d.Path, err, "")
	}
	if same(identify(&a), identify(&b)) {
		return failure(report.Disk, d.Path, errors.New("it is the image itself, or lies on it"), "name another disk")
	}
	return nil
}

// notAmong refuses a disk that is one of the others under another name. It is asked
// before the disk is opened: the locks of the other one would say that it is busy.
func notAmong(path string, st fs.FileInfo, others []*Disk) error {
	sys, ok := st.Sys().(*syscall.Stat_t)
	if !ok {
		return nil
	}
	mine := identify(&unix.Stat_t{Mode: sys.Mode, Dev: sys.Dev, Ino: sys.Ino, Rdev: sys.Rdev})
	for _, other := range others {
		var there unix.Stat_t
		if f := other.file(); f == nil || unix.Fstat(int(f.Fd()), &there) != nil {
			continue
		}
		if same(mine, identify(&there)) {
			return failure(report.Usage, path, fmt.Errorf("it is the disk %s, or shares bytes with it", other.Path), "name each disk once, a whole disk or its partitions")
		}
	}
	return nil
}

// identity is what a file or device stands on: itself, the whole disk it is a
// partition of, and the file behind a loop device.
type identity struct {
	device            bool
	dev, ino          uint64 // of a file, or of the file behind a loop device
	rdev, whole       uint64 // of a device
	wholePart, backed bool
}

func identify(st *unix.Stat_t) identity {
	if st.Mode&unix.S_IFMT != unix.S_IFBLK {
		return identity{dev: st.Dev, ino: st.Ino, backed: true}
	}
	id := identity{device: true, rdev: st.Rdev}
	id.whole, id.wholePart = wholeDisk(st.Rdev)
	id.dev, id.ino, id.backed = backing(id.whole)
	return id
}

// same reports whether writing one would change the other. Two partitions of one
// disk are different.
func same(a, b identity) bool {
	if a.device && b.device && a.whole == b.whole {
		return a.rdev == b.rdev || !a.wholePart || !b.wholePart
	}
	return a.backed && b.backed && a.dev == b.dev && a.ino == b.ino
}

// wholeDisk returns the disk of which rdev is a partition, or rdev.
func wholeDisk(rdev uint64) (disk uint64, partition bool) {
	dir, err := filepath.EvalSymlinks(sysDev(rdev))
	if err != nil {
		return rdev, false
	}
	if _, err := os.Stat(dir + "/partition"); err != nil {
		return rdev, false
	}
	b, err := os.ReadFile(filepath.Dir(dir) + "/dev")
	if err != nil {
		return rdev, false
	}
	major, minor, _ := strings.Cut(strings.TrimSpace(string(b)), ":")
	maj, err1 := strconv.ParseUint(major, 10, 32)
	mnr, err2 := strconv.ParseUint(minor, 10, 32)
	if err1 != nil || err2 != nil {
		return rdev, false
	}
	return unix.Mkdev(uint32(maj), uint32(mnr)), true
}

// backing returns the file behind the loop device rdev.
func backing(rdev uint64) (dev, ino uint64, ok bool) {
	name, err := os.ReadFile(sysDev(rdev) + "/loop/backing_file")
	if err != nil {
		return 0, 0, false
	}
	var st unix.Stat_t
	if err := unix.Stat(string(bytes.TrimSuffix(name, []byte("\n"))), &st); err != nil {
		return 0, 0, false
	}
	return st.Dev, st.Ino, true
}

func sysDev(rdev uint64) string {
	return fmt.Sprintf("/sys/dev/block/%d:%d", unix.Major(rdev), unix.Minor(rdev))
}

// loopBackedBy returns the loop device that f backs, or "".
func loopBackedBy(f *os.File) string {
	st, err := f.Stat()
	if err != nil {
		return ""
	}
	files, _ := filepath.Glob("/sys/block/loop*/loop/backing_file") // the pattern is sound
	for _, file := range files {
		dev := "/dev/" + filepath.Base(filepath.Dir(filepath.Dir(file)))
		if loopHas(dev, st) || namesFile(file, st) {
			return dev
		}
	}
	return ""
}

// loopHas asks the loop device itself, which is right in any mount namespace
// but needs permission to open it.
func loopHas(dev string, st fs.FileInfo) bool {
	l, err := os.OpenFile(dev, unix.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return false
	}
	defer l.Close()
	info, err := unix.IoctlLoopGetStatus64(int(l.Fd()))
	sys, ok := st.Sys().(*syscall.Stat_t)
	return err == nil && ok && info.Inode == sys.Ino && info.Device == sys.Dev
}

// namesFile reports whether the file called name holds the path of st.
func namesFile(name string, st fs.FileInfo) bool {
	b, err := os.ReadFile(name)
	if err != nil {
		return false
	}
	other, err := os.Stat(strings.TrimSuffix(string(b), "\n"))
	return err == nil && os.SameFile(st, other)
}

// notSwap refuses a file that the kernel swaps to.
func notSwap(f *os.File) error {
	st, err := f.Stat()
	if err != nil {
		return err
	}
	b, err := os.ReadFile("/proc/swaps")
	if err != nil {
		return nil // a kernel without swap
	}
	for line := range strings.Lines(string(b)) {
		name, _, _ := strings.Cut(line, " ")
		other, err := os.Stat(unescape(name))
		if err == nil && os.SameFile(st, other) {
			return errors.New("it is in use as swap")
		}
	}
	return nil
}

// unescape undoes the octal escapes of files in /proc (proc_swaps(5)).
func unescape(s string) string {
	return strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`).Replace(s)
}
