package devmapper

import (
	"encoding/binary"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Commands of the ioctl interface. Suspend without its flag means resume.
const (
	devCreate = 3
	devRemove = 4
	devResume = 6
	tableLoad = 9
)

const flagReadOnly = 1 << 0

// Offsets in struct dm_ioctl and struct dm_target_spec.
const (
	ioctlSize    = 312
	ioctlData    = 12 // data_size
	ioctlStart   = 16 // data_start
	ioctlTargets = 20
	ioctlFlags   = 28
	ioctlDev     = 40
	ioctlName    = 48
	nameSize     = 128
	specSize     = 40
	specLength   = 8
	specNext     = 20
	specType     = 24
)

// request is a struct dm_ioctl with what follows it.
type request []byte

func newRequest(name string, flags uint32) request {
	r := make(request, ioctlSize)
	binary.NativeEndian.PutUint32(r, 4) // interface version 4.0.0
	binary.NativeEndian.PutUint32(r[ioctlStart:], ioctlSize)
	binary.NativeEndian.PutUint32(r[ioctlFlags:], flags)
	copy(r[ioctlName:ioctlName+nameSize-1], name)
	return r
}

// newTable is a request that carries a table.
func newTable(name string, flags uint32, pieces []Piece) request {
	r := newRequest(name, flags)
	binary.NativeEndian.PutUint32(r[ioctlTargets:], uint32(len(pieces)))
	start := uint64(0)
	for _, p := range pieces {
		r = append(r, target(start, p)...)
		start += p.sectors()
	}
	return r
}

// target is a struct dm_target_spec with its parameters, padded to 8 bytes.
func target(start uint64, p Piece) []byte {
	kind, params := p.target()
	params += "\x00"
	size := (specSize + len(params) + 7) &^ 7
	t := make([]byte, size)
	binary.NativeEndian.PutUint64(t, start)
	binary.NativeEndian.PutUint64(t[specLength:], p.sectors())
	binary.NativeEndian.PutUint32(t[specNext:], uint32(size))
	copy(t[specType:], kind)
	copy(t[specSize:], params)
	return t
}

// device returns the device number the kernel filled in, in the encoding of
// mknod(2).
func (r request) device() uint64 { return binary.NativeEndian.Uint64(r[ioctlDev:]) }

// do performs the command, which may change r.
func (r request) do(control *os.File, command uintptr) error {
	binary.NativeEndian.PutUint32(r[ioctlData:], uint32(len(r)))
	const readWrite = 3
	code := uintptr(readWrite<<30|ioctlSize<<16|0xfd<<8) | command
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, control.Fd(), code, uintptr(unsafe.Pointer(&r[0])))
	if errno != 0 {
		return errno
	}
	return nil
}
