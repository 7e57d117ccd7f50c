package filesystem

import (
	"bytes"
	"fmt"
	"io"
)

// How far from the ends of a device the signatures lie by which blkid, wipefs, the
// kernel and the tools of RAID and volume managers recognize what is on it. The farthest
// known ones are the second header of LUKS, 4 MiB behind the start, and that of a
// Promise RAID, 1.5 MiB before the end; labels of ZFS lie within 768 KiB of both ends.
const (
	headReach = 5 << 20
	tailReach = 2 << 20
)

// grain is the unit in which Erase looks for something to erase.
const grain = 64 << 10

// Store is what Erase works on: a device or a file.
type Store interface {
	io.ReaderAt
	io.WriterAt
	Sync() error
}

// Claim is a stretch of a store that comes to belong to something that did not own
// it before: the bytes from New to End of what begins at Start.
type Claim struct{ Start, New, End int64 }

// Erase makes zero, within the new bytes of c, wherever a signature of their former
// contents could make its owner look like something else, and waits until that is on
// the disk. Bytes outside of New and End stay. Zeros are not written again:
// a sparse disk stays sparse.
//
// It knows no signature. A list would have to grow with blkid's, and blkid stops at
// the first one it recognizes.
func Erase(s Store, c Claim) error {
	written := false
	for _, r := range c.reached() {
		w, err := zero(s, r[0], r[1])
		if err != nil {
			return fmt.Errorf("erasing signatures of former contents: %w", err)
		}
		written = written || w
	}
	if !written {
		return nil
	}
	if err := s.Sync(); err != nil {
		return fmt.Errorf("erasing signatures of former contents: %w", err)
	}
	return nil
}

// reached returns the stretches, at most two, in which signatures count.
func (c Claim) reached() [][2]int64 {
	head := [2]int64{c.New, min(c.End, c.Start+headReach)}
	tail := [2]int64{max(c.New, c.End-tailReach, head[1]), c.End}
	var out [][2]int64
	for _, r := range [][2]int64{head, tail} {
		if r[0] < r[1] {
			out = append(out, r)
		}
	}
	return out
}

// zero makes the bytes from start to end zero and reports whether it wrote any.
func zero(s Store, start, end int64) (written bool, err error) {
	zeros, piece := make([]byte, grain), make([]byte, grain)
	for at := start; at < end; at += grain {
		n := min(grain, end-at)
		if _, err := s.ReadAt(piece[:n], at); err != nil {
			return written, err
		}
		if bytes.Equal(piece[:n], zeros[:n]) {
			continue
		}
		if _, err := s.WriteAt(zeros[:n], at); err != nil {
			return written, err
		}
		written = true
	}
	return written, nil
}
