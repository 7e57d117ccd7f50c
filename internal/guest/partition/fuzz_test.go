package partition

import (
	"encoding/binary"
	"hash/crc32"
	"io"
	"testing"
)

// memory is a sparse disk, kept by sectors. Reads and writes are of whole
// sectors, as on a real one.
type memory struct {
	sectors map[int64][SectorSize]byte
	size    int64
}

func (m *memory) ReadAt(p []byte, off int64) (int, error) {
	for n := 0; n < len(p); n += SectorSize {
		if off+int64(n)+SectorSize > m.size {
			return n, io.EOF
		}
		s := m.sectors[(off+int64(n))/SectorSize]
		copy(p[n:], s[:])
	}
	return len(p), nil
}

func (m *memory) WriteAt(p []byte, off int64) (int, error) {
	for n := 0; n < len(p); n += SectorSize {
		var s [SectorSize]byte
		copy(s[:], p[n:])
		m.sectors[(off+int64(n))/SectorSize] = s
	}
	return len(p), nil
}

func (m *memory) Sync() error { return nil }

// sealed makes the checksums of a fuzzed GPT right, so that the fuzzer gets
// behind them.
func sealed(b []byte) []byte {
	if len(b) < 1024+128 || string(b[512:520]) != gptMagic {
		return b
	}
	h := b[512:1024]
	n := uint64(le32(h[gptEntryCount:])) * uint64(le32(h[gptEntrySize:]))
	if le64(h[gptEntriesLBA:]) == 2 && n <= 1<<16 {
		entries := make([]byte, n)
		copy(entries, b[1024:])
		binary.LittleEndian.PutUint32(h[gptEntriesCRC:], crc32.ChecksumIEEE(entries))
	}
	if s := le32(h[gptHeaderSize:]); s >= gptHeaderLeast && s <= SectorSize {
		binary.LittleEndian.PutUint32(h[gptHeaderCRC:], headerCRC(h))
	}
	return b
}

// FuzzRead checks that any bytes are read without a panic, and that a table
// that can be grown is read back with all its other partitions as they were.
func FuzzRead(f *testing.F) {
	dos := make([]byte, 512)
	copy(dos[446:], []byte{0x80, 0, 0, 0, 0x83, 0, 0, 0, 0, 8, 0, 0, 0, 8, 0, 0})
	copy(dos[462:], []byte{0, 0, 0, 0, 5, 0, 0, 0, 1, 0, 0, 0, 0, 4, 0, 0})
	dos[510], dos[511] = 0x55, 0xaa
	f.Add(append(dos, dos...), int64(64<<20), 5, int64(8))
	gpt := make([]byte, 2048)
	gpt[446+4], gpt[446+8], gpt[510], gpt[511] = 0xee, 1, 0x55, 0xaa
	copy(gpt[512:], gptMagic+"\x00\x00\x01\x00\x5c\x00\x00\x00")
	gpt[512+gptMyLBA], gpt[512+gptEntriesLBA], gpt[512+gptEntryCount], gpt[512+gptEntrySize] = 1, 2, 8, 128
	gpt[1024], gpt[1024+entryFirst], gpt[1024+entryLast] = 1, 64, 128
	f.Add(gpt, int64(64<<20), 2, int64(8))
	f.Fuzz(func(t *testing.T, b []byte, size int64, number int, swap int64) {
		if len(b) > 1<<16 || size > 1<<43 {
			return
		}
		m := &memory{sectors: map[int64][SectorSize]byte{}, size: size}
		_, _ = m.WriteAt(sealed(b), 0)
		before, err := Read(m, size)
		if err != nil {
			return
		}
		table, _ := Read(m, size)
		change, err := table.Grow(Request{Swap: &Swap{Number: number, MiB: swap, UUID: swapUUID}})
		if err != nil {
			return
		}
		if err := table.Write(m); err != nil {
			t.Fatalf("Write: %v", err)
		}
		after, err := Read(m, size)
		if err != nil {
			t.Fatalf("Read after Grow: %v", err)
		}
		checkGrown(t, before, after, change.Grown, number)
	})
}

func checkGrown(t *testing.T, before, after *Table, grown, swap int) {
	t.Helper()
	if err := after.disjoint(); err != nil {
		t.Error(err)
	}
	if _, ok := after.Partition(swap); !ok {
		t.Errorf("swap partition %d is missing", swap)
	}
	for _, p := range before.Partitions {
		q, ok := after.Partition(p.Number)
		if p.Number == grown || p.Extended {
			q.Size = min(p.Size, q.Size)
		}
		if !ok || p != q {
			t.Errorf("partition %+v became %+v", p, q)
		}
	}
}
