package partition

import "fmt"

// Add adds a swap partition at the end of the disk and leaves every other
// partition as it is, its size included.
func (t *Table) Add(swap *Swap) (Change, error) {
	var c Change
	if err := t.disjoint(); err != nil {
		return c, err
	}
	last, _ := t.last(0)
	c.Last = last.Number
	limit, err := t.scheme.stretch()
	if err != nil {
		return c, err
	}
	if _, err := t.addSwap(swap, limit); err != nil {
		return c, fmt.Errorf("adding swap partition %d: %w", swap.Number, err)
	}
	t.reload(&c)
	return c, nil
}
