package parallel

import (
	"errors"
	"slices"
	"sync"

	"golang.org/x/sys/unix"
)

// errAbandoned ends the work on parts that nobody reads.
var errAbandoned = errors.New("nobody reads it any more")

// pool lends buffers of at most so many bytes in all. They lie outside of the heap, where
// the garbage collector would let them grow to twice as much before it looked at them.
type pool struct {
	mu    sync.Mutex
	freed sync.Cond
	left  int      // bytes that may still be mapped
	idle  [][]byte // mapped, not lent
	gone  bool
}

func newPool(n int) *pool {
	p := &pool{left: n}
	p.freed.L = &p.mu
	return p
}

// get lends n bytes, and waits until there are so many. n is less than the pool has.
func (p *pool) get(n int) ([]byte, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for {
		if p.gone {
			return nil, errAbandoned
		}
		for i, b := range p.idle {
			if cap(b) >= n && cap(b) <= 2*n+granule {
				p.idle = slices.Delete(p.idle, i, i+1)
				return b[:n], nil
			}
		}
		size := (max(n, 1) + granule - 1) / granule * granule
		for p.left < size && len(p.idle) > 0 {
			p.unmap(p.idle[0])
			p.idle = p.idle[1:]
		}
		if p.left >= size {
			b, err := unix.Mmap(-1, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
			if err != nil {
				return nil, err
			}
			_ = unix.Madvise(b, unix.MADV_HUGEPAGE) // only faster
			p.left -= size
			return b[:n], nil
		}
		p.freed.Wait()
	}
}

// granule is the unit of what is mapped.
const granule = 2 << 20

// put takes a buffer back.
func (p *pool) put(b []byte) {
	if b == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if b = b[:cap(b)]; p.gone {
		p.unmap(b)
	} else {
		p.idle = append(p.idle, b)
	}
	p.freed.Broadcast()
}

func (p *pool) unmap(b []byte) {
	p.left += cap(b)
	_ = unix.Munmap(b[:cap(b)]) // it is one of Mmap's
}

// close gives back what is not lent, and the rest as it comes.
func (p *pool) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.gone = true
	for _, b := range p.idle {
		p.unmap(b)
	}
	p.idle = nil
	p.freed.Broadcast()
}
