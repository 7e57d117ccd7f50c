package partition

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
)

// Swap asks Grow for a swap partition.
type Swap struct {
	Number int
	MiB    int64
	UUID   string // partition GUID, GPT only
}

// Request says how a table is to be fitted to its disk.
type Request struct {
	// Target is the number of the partition that grows, 0 for the one that lies last.
	Target int
	// Move is the number of a partition whose content counts for nothing, 0 for none. If it
	// lies last, it is moved to the end, its size kept, and the one before it grows.
	Move int
	Swap *Swap // to add, nil for none
}

// Change is what Grow did.
type Change struct {
	Last        int   // number of the partition that is to grow
	Moved       int   // number of the partition that was moved, 0 for none
	Grown       int   // number of the partition that grew, 0 for none
	Unreachable int64 // bytes at the end of the disk that an MBR cannot address
	// Claimed is what belongs to a partition, or is the free end of the disk, and did
	// not and was not before; nothing when the table stays as it is.
	Claimed []Span
	// Stale are the entries of a hybrid MBR, by number, that no longer say what the
	// table does.
	Stale []int
}

// Span is a stretch of a disk that was claimed: the bytes from New to End of what
// begins at Start.
type Span struct{ Start, New, End int64 }

// ErrNoRoom is the error of a swap partition that does not fit.
var ErrNoRoom = errors.New("not enough room behind the last partition")

// ErrTarget is the error of a partition that is to grow and is not there.
var ErrTarget = errors.New("there is no such partition to grow")

// Grow fits the table to its disk: the partition that lies last grows to the
// end, up to a whole MiB, or to the swap partition that is added or moved there. A
// logical partition grows with its extended one. No partition ever shrinks.
func (t *Table) Grow(r Request) (Change, error) {
	var c Change
	if err := t.disjoint(); err != nil {
		return c, err
	}
	last, ok := t.last(0)
	if !ok {
		return c, fmt.Errorf("growing the last partition: the %s table has none", t.Kind)
	}
	target, err := t.target(r, last)
	if err != nil {
		return c, err
	}
	c.Last = target.Number
	limit, err := t.scheme.stretch()
	if err != nil {
		return c, err
	}
	if t.Kind == DOS {
		c.Unreachable = int64(t.sectors-limit) * SectorSize
	}
	if r.Swap != nil {
		if limit, err = t.addSwap(r.Swap, limit); err != nil {
			return c, fmt.Errorf("adding swap partition %d: %w", r.Swap.Number, err)
		}
	}
	end := min(alignDown(limit), t.nextStart(target))
	if r.Move == last.Number && target.Number != last.Number && t.behind(target, last) {
		end = t.move(last, target, alignDown(limit))
		c.Moved = last.Number
	}
	if end > lba(target.End()) {
		t.scheme.resize(target.Number, end)
		c.Grown = target.Number
	} else {
		c.Moved = 0
	}
	t.reload(&c)
	return c, nil
}

// reload reads the partitions anew from the changed scheme and notes what became of them.
func (t *Table) reload(c *Change) {
	before := t.Partitions
	t.load()
	c.Claimed = t.claimed(before)
	if g, ok := t.scheme.(*gpt); ok {
		c.Stale = slices.Sorted(slices.Values(g.stale))
	}
}

// claimed returns what the partitions have that they had not before, and the end of
// the disk behind them.
func (t *Table) claimed(before []Partition) []Span {
	var spans []Span
	free := int64(0)
	for _, p := range t.Partitions {
		free = max(free, p.End())
		i := slices.IndexFunc(before, func(o Partition) bool { return o.Number == p.Number })
		switch {
		case p.Extended:
		case i < 0, before[i].Start != p.Start:
			spans = append(spans, Span{p.Start, p.Start, p.End()})
		case before[i].End() < p.End():
			spans = append(spans, Span{p.Start, before[i].End(), p.End()})
		}
	}
	if end := t.scheme.end(); len(spans) > 0 && free < end {
		spans = append(spans, Span{0, free, end})
	}
	return spans
}

// addSwap puts the partition at the end, leaving one MiB behind it free, and
// returns the end of what is left for the last partition.
func (t *Table) addSwap(swap *Swap, limit uint64) (uint64, error) {
	if _, ok := t.Partition(swap.Number); ok {
		return 0, fmt.Errorf("number %d is in use", swap.Number)
	}
	lead, err := t.scheme.free(swap.Number)
	if err != nil {
		return 0, err
	}
	if g, ok := t.scheme.(*gpt); ok { // the backup lies in the MiB that stays free
		limit = g.foreign()
	}
	end := alignDown(max(limit, sectorsPerMiB) - sectorsPerMiB)
	size := uint64(max(swap.MiB, 0))
	if size == 0 || size > end/sectorsPerMiB {
		return 0, fmt.Errorf("%d MiB: %w", swap.MiB, ErrNoRoom)
	}
	start := end - size*sectorsPerMiB
	if used := t.usedUpTo(lead); start < used+lead {
		return 0, fmt.Errorf("%d MiB, and %d MiB are there: %w", swap.MiB,
			(max(end, used)-used)/sectorsPerMiB, ErrNoRoom)
	}
	return start - lead, t.scheme.add(swap.Number, start, end, swap.UUID)
}

// usedUpTo returns where the last partition ends. An extended partition counts
// unless the new one (which then has a lead) goes into it.
func (t *Table) usedUpTo(lead uint64) uint64 {
	used := uint64(0)
	for _, p := range t.Partitions {
		switch {
		case !p.Extended || lead == 0:
			used = max(used, lba(p.End()))
		default:
			used = max(used, lba(p.Start))
		}
	}
	return used
}

// last returns the partition that lies last on the disk, apart from the one with a number.
func (t *Table) last(apart int) (Partition, bool) {
	var last Partition
	for _, p := range t.Partitions {
		if !p.Extended && p.Number != apart && p.End() > last.End() {
			last = p
		}
	}
	return last, last.Number != 0
}

// nextStart returns where the first partition behind p starts, or what the table itself
// has in front of it. For the one that lies last it matters when an extended partition
// holds nothing.
func (t *Table) nextStart(p Partition) uint64 {
	next := min(t.sectors, t.scheme.barrier(p.Number))
	for _, o := range t.Partitions {
		if o.Start >= p.End() {
			next = min(next, lba(o.Start))
		}
	}
	return next
}

// disjoint refuses to edit a table with overlapping partitions.
func (t *Table) disjoint() error {
	parts := slices.DeleteFunc(slices.Clone(t.Partitions), func(p Partition) bool { return p.Extended })
	slices.SortFunc(parts, func(a, b Partition) int { return cmp.Compare(a.Start, b.Start) })
	for i := 1; i < len(parts); i++ {
		if parts[i].Start < parts[i-1].End() {
			return fmt.Errorf("partitions %d and %d overlap: %w", parts[i-1].Number, parts[i].Number, ErrDamaged)
		}
	}
	return nil
}

func lba(b int64) uint64 { return uint64(b) / SectorSize }
