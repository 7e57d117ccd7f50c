package partition

import (
	"fmt"
	"slices"
)

// target returns the partition that r has grow.
func (t *Table) target(r Request, last Partition) (Partition, error) {
	if r.Target != 0 {
		p, ok := t.Partition(r.Target)
		if !ok || p.Extended {
			return p, fmt.Errorf("partition %d: %w", r.Target, ErrTarget)
		}
		return p, nil
	}
	before, ok := t.last(r.Move)
	if r.Move == last.Number && ok && t.scheme.movable(r.Move) {
		return before, nil
	}
	return last, nil
}

// behind reports whether nothing but an extended partition lies between a and b, and b can
// be moved.
func (t *Table) behind(a, b Partition) bool {
	return t.scheme.movable(b.Number) && !slices.ContainsFunc(t.Partitions, func(p Partition) bool {
		return !p.Extended && p.Start >= a.End() && p.Number != b.Number
	})
}

// move moves p, which keeps its size, up to the sector limit if what lies before it gains by
// that, and returns where that may end; 0 if it gains nothing.
func (t *Table) move(p, before Partition, limit uint64) uint64 {
	size, lead := lba(p.Size), t.scheme.lead(p.Number)
	start := alignDown(limit - min(limit, size))
	if start <= lba(p.Start) || start-lead <= lba(before.End()) {
		return 0
	}
	t.scheme.move(p.Number, start, start+size)
	return start - lead
}

func (d *dos) movable(number int) bool {
	if number <= 4 {
		return d.primary[number-1].entry.used() && !d.primary[number-1].entry.extended()
	}
	return number == 4+len(d.logical) && d.logical[number-5].record == d.chain[len(d.chain)-1]
}

func (d *dos) lead(number int) uint64 {
	if number <= 4 {
		return 0
	}
	return sectorsPerMiB
}

// barrier returns where the next boot record behind a logical partition is.
func (d *dos) barrier(number int) uint64 {
	next := d.sectors
	for _, at := range d.chain {
		if number > 4 && at > d.logical[number-5].start() {
			next = min(next, at)
		}
	}
	return next
}

// move moves a logical partition with its boot record. If that was the first one, the
// extended partition then begins with it.
func (d *dos) move(number int, start, end uint64) {
	if number <= 4 {
		d.primary[number-1].entry.setSpan(start, start, end)
		d.touch(0)
		return
	}
	at := start - d.lead(number)
	old := d.logical[number-5]
	ext, _ := d.extended()
	if first := d.primary[ext]; old.record == first.start() {
		first.entry.setSpan(at, at, end)
		d.touch(0)
	} else {
		before := d.chain[len(d.chain)-2]
		entryOf(d.records[before].data, 1).setSpan(at-first.start(), at, end)
		d.touch(before)
		d.resizeExtended(end)
	}
	delete(d.records, old.record)
	d.chain = d.chain[:len(d.chain)-1]
	d.addRecord(at)
	moved := slot{entry: entryOf(d.records[at].data, 0), record: at, base: at}
	copy(moved.entry, old.entry)
	moved.entry.setSpan(start-at, start, end)
	d.logical[number-5] = moved
}
