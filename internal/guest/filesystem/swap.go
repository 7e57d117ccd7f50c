package filesystem

import (
	"cmp"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"strings"
)

// The header of swap space (linux/swap.h, union swap_header), in the first page.
const (
	swapPage    = 4096
	swapVersion = 1024
	swapLast    = 1028 // number of the last page
	swapUUID    = 1036
	swapLabel   = 1052 // 16 bytes
	swapMagicAt = swapPage - len(swapMagic)
	swapMagic   = "SWAPSPACE2"
	swapLeast   = 10 * swapPage // the smallest that mkswap(8) makes
	noUUID      = "00000000-0000-0000-0000-000000000000"
)

// MakeSwap makes swap space with that UUID on a device. Whatever lay there is
// not recognized any more; that is on the disk before the header is.
//
// It is a dozen lines; starting mkswap costs a tenth of the helper's time.
func MakeSwap(device, uuid string) error {
	f, err := os.OpenFile(device, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := makeSwap(f, uuid); err != nil {
		return fmt.Errorf("making swap space on %s: %w", device, err)
	}
	return nil
}

// PlaceSwap makes swap space with that UUID and label on a stretch of a disk where nothing
// is that counts, and waits until it is there. Some swap space has no UUID: that of old or
// small tools.
func PlaceSwap(disk Store, start, size int64, uuid, label string) error {
	header, err := swapHeader(size, cmp.Or(uuid, noUUID), label)
	if err == nil {
		_, err = disk.WriteAt(header, start)
	}
	if err == nil {
		err = disk.Sync()
	}
	if err != nil {
		return fmt.Errorf("making swap space anew at byte %d: %w", start, err)
	}
	return nil
}

func makeSwap(f *os.File, uuid string) error {
	size, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	header, err := swapHeader(size, uuid, "")
	if err != nil {
		return err
	}
	if err := Erase(f, Claim{End: size}); err != nil {
		return err
	}
	if _, err := f.WriteAt(header, 0); err != nil {
		return err
	}
	return f.Sync()
}

// swapHeader returns the first page of swap space of size bytes.
func swapHeader(size int64, uuid, label string) ([]byte, error) {
	id, err := hex.DecodeString(strings.ReplaceAll(uuid, "-", ""))
	if err != nil || len(id) != 16 {
		return nil, fmt.Errorf("%q is not a UUID", uuid)
	}
	if size < swapLeast {
		return nil, fmt.Errorf("%d bytes are too few", size)
	}
	b := make([]byte, swapPage)
	binary.NativeEndian.PutUint32(b[swapVersion:], 1)
	binary.NativeEndian.PutUint32(b[swapLast:], uint32(min(size/swapPage-1, 1<<32-1)))
	copy(b[swapUUID:swapLabel], id)
	copy(b[swapLabel:swapLabel+16], label)
	copy(b[swapMagicAt:], swapMagic)
	return b, nil
}

// SwapUUID returns the UUID of the swap space on a device; empty when there is
// none that MakeSwap could have made.
func SwapUUID(device string) string {
	f, err := os.Open(device)
	if err != nil {
		return ""
	}
	defer f.Close()
	page := make([]byte, swapPage)
	if _, err := io.ReadFull(f, page); err != nil || string(page[swapMagicAt:]) != swapMagic {
		return ""
	}
	id := page[swapUUID : swapUUID+16]
	return fmt.Sprintf("%x-%x-%x-%x-%x", id[:4], id[4:6], id[6:8], id[8:10], id[10:])
}
