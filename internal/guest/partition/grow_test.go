package partition

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
)

const swapUUID = "0FC63DAF-8483-4772-8E79-3D69D8477DE4"

func TestGrow(t *testing.T) {
	t.Parallel()
	const end = 64 * mib / 512
	for _, tt := range []struct {
		name   string
		script string
		swap   *Swap
		grown  int
		// want is "number: start end" in sectors for every partition that differs.
		want []string
	}{
		{"gpt", gptScript, nil, 2, []string{"2: 20480 " + at(end-2048)}},
		{"dos", dosScript, nil, 2, []string{"2: 22528 " + at(end)}},
		{"logical", logicalScript, nil, 6, []string{"2: 10240 " + at(end), "6: 22528 " + at(end)}},
		{"empty extended is not the last", emptyExtendedScript, nil, 0, nil},
		{
			"gpt swap", gptScript, &Swap{7, 8, swapUUID}, 2,
			[]string{"2: 20480 " + at(end-9*2048), "7: " + at(end-9*2048) + " " + at(end-2048)},
		},
		{
			"dos swap primary", dosScript, &Swap{4, 8, ""}, 2,
			[]string{"2: 22528 " + at(end-9*2048), "4: " + at(end-9*2048) + " " + at(end-2048)},
		},
		{
			"dos swap in a new extended", dosScript, &Swap{5, 8, ""}, 2,
			[]string{
				"2: 22528 " + at(end-10*2048), "3: " + at(end-10*2048) + " " + at(end-2048),
				"5: " + at(end-9*2048) + " " + at(end-2048),
			},
		},
		{
			"logical swap", logicalScript, &Swap{7, 8, ""}, 6,
			[]string{"2: 10240 " + at(end-2048), "6: 22528 " + at(end-10*2048), "7: " + at(end-9*2048) + " " + at(end-2048)},
		},
		{
			"primary swap behind logicals", logicalScript, &Swap{3, 8, ""}, 6,
			[]string{"2: 10240 " + at(end-9*2048), "6: 22528 " + at(end-9*2048), "3: " + at(end-9*2048) + " " + at(end-2048)},
		},
		{
			"swap in an empty extended", emptyExtendedScript, &Swap{5, 8, ""}, 0,
			[]string{"2: 10240 " + at(end-2048), "5: " + at(end-9*2048) + " " + at(end-2048)},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := makeDisk(t, tt.script, 32, 64)
			before := read(t, f)
			grown := grow(t, f, tt.swap)
			if grown.Grown != tt.grown {
				t.Errorf("Grow grew %d, want %d", grown.Grown, tt.grown)
			}
			got := strings.Join(changes(before, read(t, f)), "\n")
			if want := strings.Join(tt.want, "\n"); got != want {
				t.Errorf("changed:\n%s\nwant:\n%s", got, want)
			}
			checkListing(t, f)
			verify(t, f, before.Kind)
		})
	}
}

func at(sector int64) string { return fmt.Sprint(sector) }

// grow reads, grows and writes the table of f.
func grow(t *testing.T, f *os.File, swap *Swap) Change {
	t.Helper()
	table := read(t, f)
	c, err := table.Grow(Request{Swap: swap})
	if err != nil {
		t.Fatalf("Grow: %v", err)
	}
	if err := table.Write(f); err != nil {
		t.Fatalf("Write: %v", err)
	}
	return c
}

// changes lists the partitions that are not in before as they are in after, old
// numbers first.
func changes(before, after *Table) []string {
	var old, added []string
	for _, p := range after.Partitions {
		was, ok := before.Partition(p.Number)
		line := fmt.Sprintf("%d: %d %d", p.Number, p.Start/512, p.End()/512)
		switch {
		case !ok:
			added = append(added, line)
		case was != p:
			old = append(old, line)
		}
	}
	return append(old, added...)
}

// verify asks the reference tools whether the table is in order.
func verify(t *testing.T, f *os.File, kind Kind) {
	t.Helper()
	if out := run(t, "", "sfdisk", "--verify", f.Name()); !strings.Contains(out, "No errors detected") {
		t.Errorf("sfdisk --verify: %s", out)
	}
	if kind != GPT {
		return
	}
	tool(t, "sgdisk")
	if out := run(t, "", "sgdisk", "-v", f.Name()); !strings.Contains(out, "No problems found") {
		t.Errorf("sgdisk -v: %s", out)
	}
}

// TestGrowTouchesNothingElse compares every byte of the disk: outside the
// fields that must change, the disk is as before.
func TestGrowTouchesNothingElse(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, script string
		swap         *Swap
		ranges       [][2]int64 // from, to: bytes that may change
	}{
		{"dos", dosScript, nil, [][2]int64{{462 + 5, 462 + 8}, {462 + 12, 462 + 16}}},
		{"dos swap", dosScript, &Swap{3, 4, ""}, [][2]int64{{462 + 5, 462 + 8}, {462 + 12, 462 + 16}, {478, 494}}},
		{"logical", logicalScript, nil, [][2]int64{
			{462 + 5, 462 + 8},
			{462 + 12, 462 + 16},
			{10240*512 + 462 + 5, 10240*512 + 462 + 8},
			{10240*512 + 462 + 12, 10240*512 + 462 + 16},
			{20480*512 + 446 + 5, 20480*512 + 446 + 8},
			{20480*512 + 446 + 12, 20480*512 + 446 + 16},
		}},
		{"gpt", gptScript, nil, [][2]int64{
			{446 + 12, 446 + 16},                                                                   // size in the protective MBR
			{512 + 16, 512 + 20}, {512 + 32, 512 + 40}, {512 + 48, 512 + 56}, {512 + 88, 512 + 92}, // header
			{1024 + 128 + 40, 1024 + 128 + 48},                    // last sector of partition 2
			{32*mib - 512, 32 * mib}, {64*mib - 33*512, 64 * mib}, // backups
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := makeDisk(t, tt.script, 32, 64)
			before := contents(t, f)
			grow(t, f, tt.swap)
			after := contents(t, f)
			for _, r := range tt.ranges {
				if bytes.Equal(before[r[0]:r[1]], after[r[0]:r[1]]) {
					t.Errorf("bytes %d to %d did not change", r[0], r[1])
				}
				copy(after[r[0]:r[1]], before[r[0]:r[1]])
			}
			if !bytes.Equal(before, after) {
				t.Errorf("more changed, first at byte %d", firstDifference(before, after))
			}
		})
	}
}

func contents(t *testing.T, f *os.File) []byte {
	t.Helper()
	b := make([]byte, size(t, f))
	if _, err := f.ReadAt(b, 0); err != nil {
		t.Fatal(err)
	}
	return b
}

func firstDifference(a, b []byte) int {
	for i := range a {
		if a[i] != b[i] {
			return i
		}
	}
	return -1
}

func TestGrowTwiceWritesNothing(t *testing.T) {
	t.Parallel()
	for name, script := range map[string]string{"gpt": gptScript, "dos": dosScript, "logical": logicalScript} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := makeDisk(t, script, 32, 64)
			grow(t, f, nil)
			table := read(t, f)
			if c, err := table.Grow(Request{}); err != nil || c.Grown != 0 {
				t.Errorf("Grow again = %+v, %v, want nothing", c, err)
			}
			if err := table.Write(readOnly{f}); err != nil {
				t.Errorf("Write of an unchanged table: %v", err)
			}
		})
	}
}

type readOnly struct{ *os.File }

func (readOnly) WriteAt([]byte, int64) (int, error) { return 0, errors.New("written") }

func TestGrowRefuses(t *testing.T) {
	t.Parallel()
	fourPrimaries := "label: dos\nsize=2048\nsize=2048\nsize=2048\nsize=2048\n"
	behind := "label: dos\nstart=2048, size=8192, type=5\nstart=12288, size=2048\n"
	for _, tt := range []struct {
		name, script string
		swap         *Swap
		text         string
	}{
		{"number in use", gptScript, &Swap{2, 1, swapUUID}, "number 2 is in use"},
		{"number out of range", gptScript, &Swap{129, 1, swapUUID}, "numbers 1 to 128"},
		{"too large", gptScript, &Swap{4, 44, swapUUID}, "44 MiB, and 43 MiB are there"},
		{"far too large", dosScript, &Swap{4, 1 << 50, swapUUID}, "not enough room"},
		{"bad UUID", gptScript, &Swap{4, 1, "x"}, "not a GUID"},
		{"logical numbers have no gaps", logicalScript, &Swap{8, 1, ""}, "next logical partition is number 7"},
		{"no place for an extended", fourPrimaries, &Swap{5, 1, ""}, "all four"},
		{"extended in the middle", behind, &Swap{5, 1, ""}, "extended partition is not the last"},
		{"no partition", "label: dos\n", nil, "has none"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			table := read(t, makeDisk(t, tt.script, 32, 64))
			if _, err := table.Grow(Request{Swap: tt.swap}); err == nil || !strings.Contains(err.Error(), tt.text) {
				t.Errorf("Grow = %v, want %q", err, tt.text)
			}
		})
	}
}

func TestGrowLargestSwap(t *testing.T) {
	t.Parallel()
	f := makeDisk(t, gptScript, 32, 64)
	if c := grow(t, f, &Swap{4, 43, swapUUID}); c.Grown != 0 {
		t.Errorf("Grow grew %d, want nothing", c.Grown)
	}
	verify(t, f, GPT)
}

func TestGrowBeyondMBR(t *testing.T) {
	t.Parallel()
	f := makeDisk(t, dosScript, 32, 3<<20) // 3 TiB, sparse
	c := grow(t, f, nil)
	if c.Unreachable < 1<<40-mib || c.Unreachable > 1<<40+mib {
		t.Errorf("unreachable = %d, want about 1 TiB", c.Unreachable)
	}
	p, _ := read(t, f).Partition(2)
	if want := int64(2<<40 - mib); p.End() != want {
		t.Errorf("partition 2 ends at %d, want %d", p.End(), want)
	}
	verify(t, f, DOS)
}

// TestInterruptedWrite stops after each write: a readable table must remain,
// primary or backup.
func TestInterruptedWrite(t *testing.T) {
	t.Parallel()
	tool(t, "sgdisk")
	for n := range 4 {
		f := makeDisk(t, gptScript, 32, 64)
		table := read(t, f)
		if _, err := table.Grow(Request{}); err != nil {
			t.Fatal(err)
		}
		err := table.Write(&failing{File: f, left: n})
		if err == nil {
			t.Fatalf("Write with %d writes allowed succeeded", n)
		}
		if out := run(t, "", "sgdisk", "-p", f.Name()); strings.Count(out, "röot") != 1 {
			t.Errorf("after %d writes sgdisk says %s", n, out)
		}
	}
}

// failing lets some writes through.
type failing struct {
	*os.File
	left int
}

func (f *failing) WriteAt(b []byte, off int64) (int, error) {
	if f.left--; f.left < 0 {
		return 0, errors.New("no more writes")
	}
	return f.File.WriteAt(b, off)
}

// TestDamagedBackup: a backup that is not whole is made anew though the table stays
// as it is, and nothing else is touched.
func TestDamagedBackup(t *testing.T) {
	t.Parallel()
	for name, at := range map[string]int64{"header": 64*mib - 512 + 20, "magic": 64*mib - 512, "entries": 64*mib - 33*512 + 40, "size of the header": 64*mib - 512 + 12, "GUID of the disk": 64*mib - 512 + 56} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := makeDisk(t, gptScript, 32, 64)
			grow(t, f, nil)
			want := contents(t, f)
			if _, err := f.WriteAt([]byte{0xff, 0xff, 0xff}, at); err != nil {
				t.Fatal(err)
			}
			grow(t, f, nil)
			if got := contents(t, f); !bytes.Equal(got, want) {
				t.Errorf("the disk is not as before the damage, first at byte %d", firstDifference(got, want))
			}
			verify(t, f, GPT)
		})
	}
}

// TestDamagedBackupUnderAPartition: a partition that lies where the backup belongs is
// more than a backup.
func TestDamagedBackupUnderAPartition(t *testing.T) {
	t.Parallel()
	f := makeDisk(t, gptScript, 32, 64)
	grow(t, f, nil)
	table := read(t, f)
	g, ok := table.scheme.(*gpt)
	if !ok {
		t.Fatal("no GPT")
	}
	g.resize(2, 64*mib/512-1)
	g.seal()
	if err := errors.Join(writeSynced(f, le64(g.header[gptEntriesLBA:]), g.entries), writeSynced(f, 0, g.mbr, g.header)); err != nil {
		t.Fatal(err)
	}
	before := contents(t, f)
	if c, err := read(t, f).Grow(Request{}); err != nil || c.Grown != 0 {
		t.Fatalf("Grow = %+v, %v", c, err)
	}
	if err := read(t, f).Write(f); err != nil {
		t.Fatal(err)
	}
	if got := contents(t, f); !bytes.Equal(got, before) {
		t.Errorf("the disk changed, first at byte %d", firstDifference(got, before))
	}
}

// TestAdd adds a swap partition and leaves the sizes of all others alone.
func TestAdd(t *testing.T) {
	t.Parallel()
	const end = 64 * mib / 512
	for name, tt := range map[string]struct{ script, want string }{
		"gpt": {gptScript, "7: " + at(end-9*2048) + " " + at(end-2048)},
		"dos": {dosScript, "4: " + at(end-9*2048) + " " + at(end-2048)},
	} {
		swap := &Swap{7, 8, swapUUID}
		if name == "dos" {
			swap = &Swap{4, 8, ""}
		}
		f := makeDisk(t, tt.script, 32, 64)
		before := read(t, f)
		table := read(t, f)
		if _, err := table.Add(swap); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if err := table.Write(f); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if got := strings.Join(changes(before, read(t, f)), "\n"); got != tt.want {
			t.Errorf("%s: changed:\n%s\nwant:\n%s", name, got, tt.want)
		}
		checkListing(t, f)
		verify(t, f, before.Kind)
	}
	f := makeDisk(t, gptScript, 32, 33)
	if _, err := read(t, f).Add(&Swap{7, 30, swapUUID}); !errors.Is(err, ErrNoRoom) {
		t.Errorf("Add on a full disk = %v, want %v", err, ErrNoRoom)
	}
}
