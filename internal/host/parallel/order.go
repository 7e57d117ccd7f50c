// Package parallel decompresses what was packed in independent parts: the blocks of .xz
// and the blocks of bzip2. Several parts are in work at once, and come out in the order
// they came in.
//
// Memory is bounded: a part is begun when there is room for it, and one that would take
// too much is decoded piece by piece. What comes out of a part is proven by its own check
// at its end only, as with any decoder of these formats, so that a reader has to reach
// the end before it believes anything.
//
// It is large because the containers of two formats are here, with the line of parts that
// both of them feed.
package parallel

import (
	"io"
	"runtime"
	"sync"
)

// budget is how many bytes of packed and unpacked parts there are at once.
const budget = 96 << 20

// part is one part on its way.
type part struct {
	in, out []byte // from the pool
	room    *pool

	mu    sync.Mutex
	more  sync.Cond
	ready int   // bytes of out that are decoded
	taken int   // bytes of out that were read
	done  bool  // there will not be more
	err   error // that ended it
}

// publish tells how much of out is decoded.
func (p *part) publish(ready int) {
	p.mu.Lock()
	p.ready = ready
	p.mu.Unlock()
	p.more.Signal()
}

// finish ends the part, at what was published last.
func (p *part) finish(err error) {
	p.mu.Lock()
	p.done, p.err = true, err
	p.mu.Unlock()
	p.more.Signal()
}

// again waits until everything that was published was read, and makes room for more: the
// part is the first of its line then.
func (p *part) again() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for p.taken < p.ready {
		p.more.Wait()
	}
	p.ready, p.taken = 0, 0
}

// read copies what is decoded. When that is nothing, the part is at its end.
func (p *part) read(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for p.ready == p.taken && !p.done {
		p.more.Wait()
	}
	if p.ready == p.taken {
		return 0, p.err
	}
	n := copy(b, p.out[p.taken:p.ready])
	if p.taken += n; p.taken == p.ready {
		p.more.Signal()
	}
	return n, nil
}

// line is the parts in their order.
type line struct {
	from  io.Reader
	room  *pool
	parts chan *part
	quit  chan struct{} // closed when nobody reads any more
	// idle has a place for each part that may be decoded at once.
	idle chan struct{}
	// current is the part that is being read.
	current *part
	begun   bool
}

// Reader reads what the parts hold.
type Reader struct {
	line    *line
	split   func(*line) error // feeds the line
	cleanup runtime.Cleanup   // for one that is not read to its end
	err     error
}

func newReader(from io.Reader, split func(*line) error) *Reader {
	workers := runtime.GOMAXPROCS(0)
	l := &line{from: from, room: newPool(budget), parts: make(chan *part, workers+1), quit: make(chan struct{}), idle: make(chan struct{}, workers)}
	r := &Reader{line: l, split: split}
	r.cleanup = runtime.AddCleanup(r, (*line).abandon, l)
	return r
}

// abandon ends everything, without waiting for it.
func (l *line) abandon() {
	close(l.quit)
	l.room.close()
	if !l.begun {
		return
	}
	go func() {
		if l.current != nil {
			l.current.abandon()
		}
		for p := range l.parts {
			p.abandon()
		}
	}()
}

// Read reads. Decoding begins with the first call, and with the first error all memory is
// given back.
func (r *Reader) Read(p []byte) (int, error) {
	l := r.line
	if r.err != nil || len(p) == 0 {
		return 0, r.err
	}
	if !l.begun {
		l.begun = true
		go l.feed(r.split)
	}
	for r.err == nil {
		if l.current == nil {
			next, more := <-l.parts
			if !more {
				r.err = io.EOF
				break
			}
			l.current = next
		}
		n, err := l.current.read(p)
		if n > 0 {
			return n, nil
		}
		r.err = err
		l.current.release()
		l.current = nil
	}
	r.end()
	return 0, r.err
}

// end ends everything. Nothing is read any more.
func (r *Reader) end() {
	r.cleanup.Stop()
	r.line.abandon()
}

// feed runs split and ends the line.
func (l *line) feed(split func(*line) error) {
	defer close(l.parts)
	if err := split(l); err != nil {
		last := l.part(nil, nil)
		last.finish(err)
		l.add(last)
	}
}

// part returns a new part with buffers of the pool.
func (l *line) part(in, out []byte) *part {
	p := &part{in: in, out: out, room: l.room}
	p.more.L = &p.mu
	return p
}

// release gives the buffers back.
func (p *part) release() {
	p.room.put(p.in)
	p.room.put(p.out)
}

// abandon gives them back when the part is not worked on any more.
func (p *part) abandon() {
	for buf := make([]byte, 64<<10); ; {
		if n, _ := p.read(buf); n == 0 { // nobody wants to know
			break
		}
	}
	p.release()
}

// add appends p, which is or will be decoded, and reports whether anybody wants it.
func (l *line) add(p *part) bool {
	select {
	case l.parts <- p:
		return true
	case <-l.quit:
		return false
	}
}

// start appends p and has decode fill it, when a worker is idle.
func (l *line) start(p *part, decode func(*part) error) bool {
	select {
	case l.idle <- struct{}{}:
	case <-l.quit:
		p.release()
		return false
	}
	go func() {
		p.finish(decode(p))
		<-l.idle
	}()
	if !l.add(p) {
		p.abandon()
		return false
	}
	return true
}
