package blockmap

import (
	"bytes"
	"encoding/binary"
	"fmt"
)

// Identities of metadata (MS-VHDX, section 2.6).
const (
	metaFile     = "\x37\x67\xa1\xca\x36\xfa\x43\x4d\xb3\xb6\x33\xf0\xaa\x44\xe7\x6b"
	metaSize     = "\x24\x42\xa5\x2f\x1b\xcd\x76\x48\xb2\x11\x5d\xbe\xd8\x3b\xf4\xb8"
	metaIdentity = "\xab\x12\xca\xbe\xe6\xb2\x23\x45\x93\xef\xc3\x09\xe0\x00\xc7\x46"
	metaLogical  = "\x1d\xbf\x41\x81\x6f\xa9\x09\x47\xba\x47\xf2\x33\xa8\xfa\xab\x5f"
	metaPhysical = "\xc7\x48\xa3\xcd\x5d\x44\x71\x44\x9c\xc9\xe9\x88\x52\x51\xc5\x56"
	metaParent   = "\x2d\x5f\xd3\xa8\x0b\xb3\x4d\x45\xab\xf7\xd3\xd8\x48\x34\xab\x0c"
	maxMetadata  = 2047
)

// Flags of an entry and of the parameters of the file.
const (
	metaRequired = 1 << 2
	hasParent    = 1 << 1
)

// vhdxSizes is what the metadata say.
type vhdxSizes struct {
	size, block int64
}

// perChunk returns how many blocks lie between two entries for their sectors' bits.
func (s vhdxSizes) perChunk() int64 { return vhdxChunk * sector / s.block }

// entries returns how many entries the table of blocks needs.
func (s vhdxSizes) entries() int64 {
	n := blocks(s.size, s.block)
	return n + (n-1)/s.perChunk()
}

// parseMetadata reads the table b, which leads to what read reads.
func parseMetadata(b []byte, read func(p []byte, off int64) error) (s vhdxSizes, err error) {
	le := binary.LittleEndian
	count := int(le.Uint16(b[10:]))
	if !bytes.HasPrefix(b, []byte("metadata")) || count > maxMetadata {
		return s, fmt.Errorf("%w: its metadata are not where they have to be", ErrDamaged)
	}
	found := map[string]bool{}
	for e := b[32:]; count > 0; e, count = e[32:], count-1 {
		id, at, flags := string(e[:16]), int64(le.Uint32(e[16:])), le.Uint32(e[24:])
		if found[id] {
			return s, fmt.Errorf("%w: a piece of its metadata is there twice", ErrDamaged)
		}
		found[id] = true
		item := make([]byte, 8)
		if n := metadataLength(id); n > 0 {
			if err := read(item[:n], at); err != nil {
				return s, err
			}
		}
		if err := s.add(id, item, flags); err != nil {
			return s, err
		}
	}
	for _, id := range []string{metaFile, metaSize, metaLogical} {
		if !found[id] {
			return s, fmt.Errorf("%w: a piece of its metadata is missing", ErrDamaged)
		}
	}
	return s, nil
}

// metadataLength returns how many bytes of a piece are looked at.
func metadataLength(id string) int {
	switch id {
	case metaFile, metaSize:
		return 8
	case metaLogical:
		return 4
	}
	return 0
}

// add takes one piece.
func (s *vhdxSizes) add(id string, item []byte, flags uint32) error {
	n := binary.LittleEndian.Uint64(item)
	switch id {
	case metaFile:
		block := n & 0xffffffff
		switch {
		case n>>32&hasParent != 0:
			return fmt.Errorf("%w: it holds only what differs from another image", ErrRefused)
		case !powerOfTwo(block) || block < minVHDXBlock || block > maxVHDXBlock:
			return fmt.Errorf("%w: blocks of %d bytes", ErrDamaged, block)
		}
		s.block = int64(block)
	case metaSize:
		if n > maxVHDXDisk {
			return fmt.Errorf("%w: a disk of %d bytes", ErrRefused, n)
		}
		s.size = int64(n)
		return checkSize(n)
	case metaLogical:
		if n != sector {
			return fmt.Errorf("%w: sectors of %d bytes", ErrRefused, n)
		}
	case metaParent:
		return fmt.Errorf("%w: it holds only what differs from another image", ErrRefused)
	case metaIdentity, metaPhysical:
	default:
		if flags&metaRequired != 0 {
			return fmt.Errorf("%w: it uses metadata this version does not know (%x)", ErrRefused, id)
		}
	}
	return nil
}
