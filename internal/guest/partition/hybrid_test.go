package partition

import (
	"encoding/binary"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
)

// hybrid makes a disk of 32 MiB, grown to 64, with a GPT of two partitions and a hybrid
// MBR that sgdisk makes of those with the numbers.
func hybrid(t *testing.T, numbers string) *os.File {
	t.Helper()
	tool(t, "sgdisk")
	f := makeDisk(t, "label: gpt\n1: start=2048, size=8192\n2: start=20480, size=8192\n", 32, 32)
	run(t, "", "sgdisk", "-h", numbers, f.Name())
	truncate(t, f, 64)
	return f
}

// nested lists the entries of the MBR, "start size", as sfdisk sees them.
func nested(t *testing.T, f *os.File) []string {
	t.Helper()
	var out []string
	for line := range strings.Lines(run(t, "", "sfdisk", "-Y", "dos", "-d", f.Name())) {
		var start, size int64
		_, fields, ok := strings.Cut(line, " : ")
		fields = strings.ReplaceAll(fields, " ", "")
		if n, _ := fmt.Sscanf(fields, "start=%d,size=%d,", &start, &size); ok && n == 2 {
			out = append(out, fmt.Sprintf("%d %d", start, size))
		}
	}
	return out
}

// TestTwinGrows keeps the entry of a hybrid MBR equal to its partition of the GPT.
func TestTwinGrows(t *testing.T) {
	t.Parallel()
	f := hybrid(t, "1:2")
	before := nested(t, f)
	c := grow(t, f, nil)
	if len(c.Stale) != 0 {
		t.Errorf("stale entries %v, want none", c.Stale)
	}
	p, _ := read(t, f).Partition(2)
	if p.End() != 63*mib {
		t.Fatalf("partition 2 ends at %d", p.End())
	}
	i := slices.Index(before, "20480 8192")
	if i < 0 || !slices.Contains(before, "2048 8192") {
		t.Fatalf("sfdisk sees %q in the hybrid MBR", before)
	}
	before[i] = fmt.Sprintf("20480 %d", p.Size/512)
	if got := nested(t, f); !slices.Equal(got, before) {
		t.Errorf("the hybrid MBR has %q, want %q", got, before)
	}
	verify(t, f, GPT)
}

// TestStaleTwinStays leaves an entry that was not equal to its partition, and says so.
func TestStaleTwinStays(t *testing.T) {
	t.Parallel()
	f := hybrid(t, "2")
	table := read(t, f)
	g := table.scheme.(*gpt)
	if len(g.twins()) != 1 {
		t.Fatalf("%d twins, want one", len(g.twins()))
	}
	for n, e := range g.twins() {
		binary.LittleEndian.PutUint32(e[12:], 4096)
		if _, err := f.WriteAt(g.mbr, 0); err != nil {
			t.Fatal(err)
		}
		before := nested(t, f)
		c := grow(t, f, nil)
		if !slices.Equal(c.Stale, []int{n}) || c.Grown != 2 {
			t.Errorf("Grow = %+v, want partition 2 grown and entry %d stale", c, n)
		}
		if got := nested(t, f); !slices.Equal(got, before) {
			t.Errorf("the hybrid MBR has %q, want %q", got, before)
		}
	}
}

// TestSecondProtectiveEntry has a hybrid MBR as gdisk makes it, with a protective entry
// for the space behind its twin, too: that begins where the twin ends and reaches to the
// end of the disk.
func TestSecondProtectiveEntry(t *testing.T) {
	t.Parallel()
	for name, mib := range map[string][]int64{"once": {64}, "twice": {64, 128}, "behind the twin of another": {64}} {
		f := makeDisk(t, "label: gpt\n1: start=2048, size=8192\n2: start=20480, size=8192\n", 32, 32)
		twin, want := "2", "20480 %d"
		if name == "behind the twin of another" {
			twin, want = "1", "2048 8192"
		}
		run(t, "r\nh\n"+twin+"\nY\n83\nN\nY\nEE\nw\nY\n", "gdisk", f.Name())
		if before := nested(t, f); len(before) != 3 {
			t.Fatalf("%s: gdisk made %q, want two protective entries", name, before)
		}
		for _, size := range mib {
			truncate(t, f, size)
			if c := grow(t, f, nil); c.Grown != 2 || len(c.Stale) != 0 {
				t.Errorf("%s: Grow = %+v, want partition 2 grown", name, c)
			}
			got := nested(t, f)
			entry := want
			second := fmt.Sprintf("10240 %d", size*2048-10240)
			if strings.Contains(want, "%") {
				entry = fmt.Sprintf(want, (size-1)*2048-20480)
				second = fmt.Sprintf("%d 2048", (size-1)*2048)
			}
			if len(got) != 3 || got[1] != entry || got[2] != second {
				t.Errorf("%s, %d MiB: the hybrid MBR has %q, want %q and %q", name, size, got, entry, second)
			}
			verify(t, f, GPT)
		}
	}
}

// TestForeignEntryStays has an entry of the MBR behind all partitions of the GPT: it is
// somebody's partition, neither grown over nor given to swap nor erased.
func TestForeignEntryStays(t *testing.T) {
	t.Parallel()
	for _, swap := range []*Swap{nil, {5, 4, swapUUID}} {
		f := hybrid(t, "2")
		g := read(t, f).scheme.(*gpt)
		const start = 48 * mib / 512
		e := entryOf(g.mbr, 3)
		e[4] = 0x83
		e.setSpan(start, start, start+8192)
		if _, err := f.WriteAt(g.mbr, 0); err != nil {
			t.Fatal(err)
		}
		c := grow(t, f, swap)
		for _, p := range read(t, f).Partitions {
			if p.End() > start*512 {
				t.Errorf("partition %d ends at %d, behind the foreign one's start", p.Number, p.End())
			}
		}
		if c.Grown != 2 || len(c.Claimed) == 0 {
			t.Errorf("Grow = %+v, want partition 2 grown", c)
		}
		for _, s := range c.Claimed {
			if s.End > start*512 {
				t.Errorf("%+v is claimed, behind the foreign one's start", s)
			}
		}
	}
}

// TestClaimed lists what partitions, and the free end, came to own.
func TestClaimed(t *testing.T) {
	t.Parallel()
	const backup = 64*mib - 33*512
	for _, tt := range []struct {
		name, script string
		swap         *Swap
		want         []Span
	}{
		{"gpt", gptScript, nil, []Span{{10 * mib, 20 * mib, 63 * mib}, {0, 63 * mib, backup}}},
		{"dos", dosScript, nil, []Span{{11 * mib, 21 * mib, 64 * mib}}},
		{"logical", logicalScript, nil, []Span{{11 * mib, 15 * mib, 64 * mib}}},
		{"swap", dosScript, &Swap{4, 8, ""}, []Span{{11 * mib, 21 * mib, 55 * mib}, {55 * mib, 55 * mib, 63 * mib}, {0, 63 * mib, 64 * mib}}},
	} {
		f := makeDisk(t, tt.script, 32, 64)
		c := grow(t, f, tt.swap)
		if !slices.Equal(c.Claimed, tt.want) {
			t.Errorf("%s: claimed %v, want %v", tt.name, c.Claimed, tt.want)
		}
		if again := grow(t, f, nil); tt.swap == nil && len(again.Claimed) != 0 {
			t.Errorf("%s: what has its size already claims %v", tt.name, again.Claimed)
		}
	}
}
