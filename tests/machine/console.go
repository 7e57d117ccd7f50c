package machine

import (
	"io"
	"regexp"
	"sync"
	"testing"
	"time"

	"snf-image/tests/harness"
)

// console collects what a machine prints and lets a test wait for patterns.
type console struct {
	name string
	mu   sync.Mutex
	text []byte
	seen int // how far expect has consumed it
	more chan struct{}
	end  bool
}

func newConsole(name string, r io.Reader) *console {
	c := &console{name: name, more: make(chan struct{}, 1)}
	go c.drain(r)
	return c
}

func (c *console) drain(r io.Reader) {
	buf := make([]byte, 4096)
	for {
		n, err := r.Read(buf)
		c.mu.Lock()
		c.text = append(c.text, buf[:n]...)
		c.end = err != nil
		c.mu.Unlock()
		select {
		case c.more <- struct{}{}:
		default:
		}
		if err != nil {
			return
		}
	}
}

// expect waits until one of the patterns matches what was printed since the
// last match, and returns which. It fails the test after limit.
func (c *console) expect(t testing.TB, limit time.Duration, patterns ...*regexp.Regexp) int {
	t.Helper()
	limit *= harness.Patience()
	timer := time.NewTimer(limit)
	defer timer.Stop()
	for {
		which, ended := c.match(patterns)
		if which >= 0 {
			return which
		}
		if ended {
			t.Fatalf("the machine ended before %s showed %q:\n%s", c.name, patterns, c.tail())
		}
		select {
		case <-c.more:
		case <-timer.C:
			t.Fatalf("%s did not show %q within %v:\n%s", c.name, patterns, limit, c.tail())
		}
	}
}

func (c *console) match(patterns []*regexp.Regexp) (which int, ended bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i, p := range patterns {
		if at := p.FindIndex(c.text[c.seen:]); at != nil {
			c.seen += at[1]
			return i, c.end
		}
	}
	return -1, c.end
}

// since returns what was printed from position at to the last match.
func (c *console) since(at int) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return string(c.text[at:c.seen])
}

func (c *console) position() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.seen
}

// tail returns the end of what was printed.
func (c *console) tail() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return string(c.text[max(0, len(c.text)-4000):])
}
