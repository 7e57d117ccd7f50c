package filesystem

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"

	"snf-image/internal/command"
	"snf-image/internal/spec"
)

// ErrUnclean is the error of a file system that needs a person to repair it.
var ErrUnclean = errors.New("the file system has errors that are not repaired automatically")

// Offsets in the ext superblock, which starts at byte 1024 (kernel
// documentation, filesystems/ext4, super block).
const (
	superAt       = 1024
	superSize     = 1024
	superBlocks   = 0x04
	superFirst    = 0x14 // the first block of the first group
	superLogSize  = 0x18
	superCluster  = 0x1c
	superPerGroup = 0x20
	superInodes   = 0x28 // of each group
	superMagic    = 0x38
	superState    = 0x3a
	superRevision = 0x4c
	superInode    = 0x58 // bytes of an inode
	superCompat   = 0x5c // features that keep nobody from anything
	superFeatures = 0x60 // incompatible ones
	superReadOnly = 0x64 // those that do not keep from reading
	superReserved = 0xce // blocks kept for more group descriptors
	superDescSize = 0xfe
	superBlocksHi = 0x150
)

// stateClean, alone, is the state of a file system without errors.
const stateClean = 1

// Incompatible features.
const (
	featureRecover = 0x04 // the journal is to be replayed
	featureMetaBG  = 0x10 // group descriptors lie apart
	feature64Bit   = 0x80
)

// featureSparse2, of those that keep nobody from anything: two groups alone have a
// copy of the superblock.
const featureSparse2 = 0x200

// Features that do not keep from reading.
const (
	featureSparse = 0x1   // not each group has a copy of the superblock
	featureQuota  = 0x100 // the file system counts what its users have, in files of its own
)

// super is the superblock of an ext file system.
type super []byte

func (s super) u16(at int) uint64 { return uint64(binary.LittleEndian.Uint16(s[at:])) }
func (s super) u32(at int) uint64 { return uint64(binary.LittleEndian.Uint32(s[at:])) }

func (s super) has(features, flag int) bool { return s.u32(features)&uint64(flag) != 0 }

// readSuper returns the superblock of the ext file system on device and the
// size of the device.
func readSuper(device string) (s super, size int64, err error) {
	f, err := os.Open(device)
	if err != nil {
		return nil, 0, err
	}
	defer f.Close()
	if size, err = f.Seek(0, io.SeekEnd); err != nil {
		return nil, 0, err
	}
	s = make(super, superSize)
	if _, err := f.ReadAt(s, superAt); err != nil {
		return nil, 0, err
	}
	return s, size, s.check()
}

// check refuses a superblock with which nothing can be computed.
func (s super) check() error {
	switch {
	case s.u16(superMagic) != 0xef53:
		return errors.New("no ext file system")
	case s.u32(superLogSize) > 6, s.u32(superPerGroup) == 0, s.u32(superInodes) == 0,
		s.u32(superCluster) < s.u32(superLogSize), s.u32(superCluster) > 20, s.u32(superFirst) > 1,
		s.blocks() <= s.u32(superFirst):
		return errors.New("the superblock contradicts itself")
	}
	return nil
}

// blocks returns the size of the file system.
func (s super) blocks() uint64 {
	n := s.u32(superBlocks)
	if s.has(superFeatures, feature64Bit) {
		n |= s.u32(superBlocksHi) << 32
	}
	return n
}

// isClean reports whether an ext file system was unmounted in good order: state
// clean, no errors recorded, no journal to replay.
func (s super) isClean() bool {
	return s.u16(superState) == stateClean && !s.has(superFeatures, featureRecover)
}

// extModules returns the module for quotas where the file system keeps them by itself:
// the kernel needs their format to mount it for writing.
func extModules(device string) []string {
	if s, _, err := readSuper(device); err == nil && s.has(superReadOnly, featureQuota) {
		return []string{"quota"}
	}
	return nil
}

// checkExt is Kind.Check. A repaired file system is looked at once more: the word of a
// tool is not a proof.
func checkExt(ctx context.Context, device string, force bool) (repaired bool, err error) {
	if s, _, err := readSuper(device); err == nil && s.isClean() && !force {
		return false, nil
	}
	args := []string{"e2fsck", "-p", device}
	if force {
		args = []string{"e2fsck", "-f", "-p", device}
	}
	err = e2fsck(ctx, device, args)
	if exit, ok := errors.AsType[*command.ExitError](err); ok && exit.Code == 1 {
		return true, verifyExt(ctx, device)
	}
	return false, err
}

// verifyExt is Kind.Verify.
func verifyExt(ctx context.Context, device string) error {
	return e2fsck(ctx, device, []string{"e2fsck", "-f", "-n", device})
}

func e2fsck(ctx context.Context, device string, args []string) error {
	return fsck(ctx, device, args, func(code int) bool { return code&4 != 0 })
}

// fsck runs a program that checks a file system, for as long as that may take at that
// size. unclean reports by its exit code whether it left errors in it.
func fsck(ctx context.Context, device string, args []string, unclean func(code int) bool) error {
	size, err := deviceSize(device)
	if err != nil {
		return err
	}
	limit := spec.StepLimit(size)
	ctx, cancel := context.WithTimeoutCause(context.WithoutCancel(ctx), limit, fmt.Errorf("not done after %v: %w", limit, spec.ErrTimeUp))
	defer cancel()
	// Its report may quote names in the image at length: only its end is kept. Told to
	// end it stops where the next check can go on.
	_, err = command.Run(ctx, command.Cmd{Args: args, Interrupt: unix.SIGTERM})
	exit, ok := errors.AsType[*command.ExitError](err)
	switch {
	case ok && unclean(exit.Code):
		return fmt.Errorf("checking %s (%s status %d): %w", device, args[0], exit.Code, ErrUnclean)
	case err != nil:
		return fmt.Errorf("checking %s: %w", device, err)
	}
	return nil
}
