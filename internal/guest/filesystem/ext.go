package filesystem

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"

	"snf-image/internal/command"
)

// ErrUnclean is the error of a file system that needs a person to repair it.
var ErrUnclean = errors.New("the file system has errors that are not repaired automatically")

// Offsets in the ext superblock, which starts at byte 1024 (kernel
// documentation, filesystems/ext4, super block).
const (
	superAt       = 1024
	superSize     = 1024
	superBlocks   = 0x04
	superLogSize  = 0x18
	superMagic    = 0x38
	superState    = 0x3a
	superFeatures = 0x60 // incompatible ones
	superReadOnly = 0x64 // those that do not keep from reading
	superBlocksHi = 0x150
)

// stateClean, alone, is the state of a file system without errors.
const stateClean = 1

// Incompatible features.
const (
	featureRecover = 0x04 // the journal is to be replayed
	feature64Bit   = 0x80
)

// featureQuota, of those that do not keep from reading: the file system counts
// what its users have, in files of its own.
const featureQuota = 0x100

// readSuper returns the superblock of the ext file system on device and the
// size of the device.
func readSuper(device string) (super []byte, size int64, err error) {
	f, err := os.Open(device)
	if err != nil {
		return nil, 0, err
	}
	defer f.Close()
	if size, err = f.Seek(0, io.SeekEnd); err != nil {
		return nil, 0, err
	}
	super = make([]byte, superSize)
	if _, err := f.ReadAt(super, superAt); err != nil {
		return nil, 0, err
	}
	if binary.LittleEndian.Uint16(super[superMagic:]) != 0xef53 {
		return nil, 0, errors.New("no ext file system")
	}
	return super, size, nil
}

// isClean says whether an ext file system was unmounted in good order: state
// clean, no errors recorded, no journal to replay.
func isClean(super []byte) bool {
	return binary.LittleEndian.Uint16(super[superState:]) == stateClean &&
		binary.LittleEndian.Uint32(super[superFeatures:])&featureRecover == 0
}

// Fills says whether the ext file system on device is clean and, to the block,
// as large as its device: then there is nothing to check or grow.
func Fills(device string) bool {
	super, size, err := readSuper(device)
	if err != nil || !isClean(super) {
		return false
	}
	blocks := uint64(binary.LittleEndian.Uint32(super[superBlocks:]))
	if binary.LittleEndian.Uint32(super[superFeatures:])&feature64Bit != 0 {
		blocks |= uint64(binary.LittleEndian.Uint32(super[superBlocksHi:])) << 32
	}
	log := binary.LittleEndian.Uint32(super[superLogSize:])
	return log <= 6 && blocks == uint64(size)>>(10+log)
}

// HasQuota says whether the ext file system on device keeps quotas by itself:
// the kernel needs their format to mount it for writing.
func HasQuota(device string) bool {
	super, _, err := readSuper(device)
	return err == nil && binary.LittleEndian.Uint32(super[superReadOnly:])&featureQuota != 0
}

// Check replays the journal of the ext file system on device and repairs what
// is safe to repair. With force it looks at everything, also when the file
// system says it is clean.
func Check(ctx context.Context, device string, force bool) error {
	args := []string{"e2fsck", "-p", device}
	if force {
		args = []string{"e2fsck", "-f", "-p", device}
	} else if super, _, err := readSuper(device); err == nil && isClean(super) {
		return nil
	}
	// Its report may quote names in the image at length: only its end is kept.
	_, err := command.Run(ctx, command.Cmd{Args: args})
	exit, ok := errors.AsType[*command.ExitError](err)
	switch {
	case err == nil || ok && exit.Code == 1:
		return nil
	case ok && exit.Code&4 != 0:
		return fmt.Errorf("checking %s (e2fsck status %d): %w", device, exit.Code, ErrUnclean)
	}
	return fmt.Errorf("checking %s: %w", device, err)
}

// Grow makes the ext file system on device as large as the device. Check it
// first, with force.
func Grow(ctx context.Context, device string) error {
	_, err := command.Run(ctx, command.Cmd{Args: []string{"resize2fs", device}, Stdout: io.Discard})
	if err != nil {
		return fmt.Errorf("growing the file system on %s: %w", device, err)
	}
	return nil
}
