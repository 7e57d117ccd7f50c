package partition

// A hybrid MBR has, beside the protective entry, entries of its own for firmware and
// systems that do not know GPT. Nothing specifies it: an entry is taken for the twin
// of a GPT partition when it begins and ends where that does, and for somebody's
// deliberate work otherwise.

// twins returns the entries of the MBR, by their number from 1, that are not the
// protective one.
func (g *gpt) twins() map[int]entry {
	twins := map[int]entry{}
	protects := false
	for i := range 4 {
		e := entryOf(g.mbr, i)
		if e.kind() == typeProtective {
			protects = true
		} else if e.used() {
			twins[i+1] = e
		}
	}
	if !protects {
		return nil
	}
	return twins
}

func (e entry) end() uint64 { return e.start() + e.size() }

// moveTwins gives the twins of a partition that ends at old its new end. Entries that
// overlap what it becomes and are not twins stay as they are, and so does a twin that
// cannot reach so far: their numbers are added to g.stale.
func (g *gpt) moveTwins(start, old, end uint64) {
	for n, e := range g.twins() {
		switch {
		case e.start() == start && e.end() == old && end-start <= dosLimit:
			e.setEnd(start, end)
		case e.start() < end && e.end() > start:
			g.stale = append(g.stale, n)
		}
	}
}

// foreign returns where the first entry of the MBR begins that lies behind all
// partitions of the GPT, or the end of the disk.
func (g *gpt) foreign() uint64 {
	end, next := uint64(0), g.sectors
	for _, p := range g.partitions() {
		end = max(end, lba(p.End()))
	}
	for _, e := range g.twins() {
		if e.start() >= end {
			next = min(next, e.start())
		}
	}
	return next
}

// shield fits the protective entries of a hybrid MBR besides the first one to what
// became of the others: tools make them for the space that their entries leave free. The
// one behind all others reaches to the end of the disk, as far as an MBR can say that;
// none covers what a twin has come to own.
func (g *gpt) shield() {
	for i := range 4 {
		e := entryOf(g.mbr, i)
		if e.kind() != typeProtective || e.start() <= 1 {
			continue
		}
		start, end := e.start(), min(g.sectors, e.start()+dosLimit)
		for _, o := range g.twins() {
			switch {
			case o.start() >= e.end():
				end = e.end()
			case o.end() > start:
				start = o.end()
			}
		}
		switch {
		case start >= end || start > dosLimit:
			clear(e)
		case start != e.start() || end != e.end():
			e.setSpan(start, start, end)
		}
	}
}
