package filesystem

import (
	"encoding/binary"
	"fmt"
)

// relocateStep is how much Relocate copies at a time, in bytes.
const relocateStep = 1 << 20

// ntfsHidden is where the boot sector of NTFS has the number of sectors before its
// partition.
const ntfsHidden = 28

// Relocate copies a stretch of a disk to a place behind its own, which may begin in it, and
// waits until it is there. NTFS is told where it lies then, in its boot sector and in the
// copy of that at the end. Interrupted, it may leave neither place whole: it is for a disk that
// is made of an image anew, and does not boot before all is done.
func Relocate(s Store, from, to, size int64) error {
	if err := relocate(s, from, to, size); err != nil {
		return fmt.Errorf("moving what lies at byte %d to byte %d: %w", from, to, err)
	}
	return nil
}

func relocate(s Store, from, to, size int64) error {
	buffer := make([]byte, relocateStep)
	for left := size; left > 0; { // from its end on: the new place may begin in the old one
		n := min(left, relocateStep)
		left -= n
		if _, err := s.ReadAt(buffer[:n], from+left); err != nil {
			return err
		}
		if _, err := s.WriteAt(buffer[:n], to+left); err != nil {
			return err
		}
	}
	const sector = 512
	for _, at := range []int64{to, to + size - sector} {
		if err := setHidden(s, at, to/sector); err != nil {
			return err
		}
	}
	return s.Sync()
}

// setHidden enters the sectors before its partition into the boot sector of NTFS at a place,
// if there is one.
func setHidden(s Store, at, sectors int64) error {
	boot := make([]byte, 512)
	if _, err := s.ReadAt(boot, at); err != nil {
		return err
	}
	if string(boot[ntfsMarkAt:][:len(ntfsMark)]) != ntfsMark {
		return nil
	}
	binary.LittleEndian.PutUint32(boot[ntfsHidden:], uint32(min(sectors, 1<<32-1)))
	_, err := s.WriteAt(boot, at)
	return err
}
