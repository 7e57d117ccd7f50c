package vm

import (
	"regexp"
	"strings"
	"sync"
	"time"
)

// panicLimit is how long a helper may stay after its kernel panicked. The
// kernel resets the machine, which ends QEMU, right after it has printed its state.
const panicLimit = 3 * time.Second

// maxPanicBytes bounds what is quoted of a line of the kernel's.
const maxPanicBytes = 200

// The kernel's words: what begins a line after the time, and perhaps the processor
// or thread.
var (
	kernelTime  = regexp.MustCompile(`^\[ *\d+\.\d+\](?:\[ *[CT]\d+\])? `)
	kernelFault = regexp.MustCompile(`^(?:BUG: |Oops: |kernel BUG at |Internal error: )`)
)

const kernelPanic = "Kernel panic - not syncing: "

// crash is the end of the helper's kernel as the console shows it. A program that may write
// to the console can forge it, which ends nothing but its own run.
type crash struct {
	mu       sync.Mutex
	fault    string        // the first, which a panic follows
	words    string        // of the panic
	panicked chan struct{} // closed by the panic
}

func newCrash() *crash { return &crash{panicked: make(chan struct{})} }

// line takes one line of the console as the guest wrote it.
func (c *crash) line(text string) {
	text = kernelTime.ReplaceAllString(text, "")
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.words != "" {
		return
	}
	if words, ok := strings.CutPrefix(text, kernelPanic); ok && words != "" {
		c.words = words
		close(c.panicked)
	} else if c.fault == "" && kernelFault.MatchString(text) {
		c.fault = text
	}
}

// quote returns the words of the panic and of the fault that led to it as show lets
// them be seen, and bounded; empty without a panic.
func (c *crash) quote(show func(string) string) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	cut := func(line string) string {
		line = show(line)
		return strings.ToValidUTF8(line[:min(len(line), maxPanicBytes)], "")
	}
	if c.words == "" || c.fault == "" {
		return cut(c.words)
	}
	return cut(c.words) + " (" + cut(c.fault) + ")"
}

// endPanic ends a QEMU whose kernel has panicked and that does not end by itself: the
// state of the machine may be such that not even the reset works.
func (m *Machine) endPanic(limit time.Duration) {
	select {
	case <-m.done:
		return
	case <-m.console.crash.panicked:
	}
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-m.done:
	case <-timer.C:
		_ = m.cmd.Process.Kill()
	}
}
