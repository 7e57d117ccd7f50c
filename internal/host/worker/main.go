package worker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"snf-image/internal/host/confine"
)

const (
	memoryLimit = 48 << 20               // what the garbage collector aims at
	interval    = 200 * time.Millisecond // between two progress lines
)

// Main is the worker process: it reads one job from stdin, works on the
// descriptors that Start handed over, and says what happened on stdout. Before it writes
// to the disk it waits for the host, on stdin. It opens no file. The error it returns has
// been reported already, if stdout still works.
func Main(ctx context.Context, stdin io.Reader, stdout io.Writer) error {
	if err := giveUp(); err != nil {
		return err
	}
	out := &speaker{enc: json.NewEncoder(stdout), host: json.NewDecoder(io.LimitReader(stdin, maxLine))}
	var j Job
	if err := out.host.Decode(&j); err != nil {
		return fmt.Errorf("reading the job: %w", err)
	}
	j.receive()
	result, err := j.Action.do(ctx, j, out)
	if err != nil {
		return errors.Join(err, out.say(message{Failure: j.Action.wire(err)}))
	}
	return out.say(message{Result: &result})
}

// receive takes up the descriptors, in the order of spawn.
func (j *Job) receive() {
	j.From, j.To = os.NewFile(3, "from"), os.NewFile(4, "to")
	if j.Action == Deploy || j.Action == Import {
		j.Head, j.Tail = os.NewFile(5, "head"), os.NewFile(6, "tail")
	}
	if j.HasSpool {
		j.Spool = os.NewFile(7, "spool")
	}
}

// giveUp gives up what is left to give up after Start.
func giveUp() error {
	debug.SetMemoryLimit(memoryLimit)
	// Not to be traced or dumped, also by a process of the same uid.
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return fmt.Errorf("guarding the memory of this process: %w", err)
	}
	if !confine.HasFilters() { // which the stage has told the host
		return nil
	}
	return calls.Restrict()
}

// speaker writes one message a line.
type speaker struct {
	mu   sync.Mutex
	enc  *json.Encoder
	host *json.Decoder // what the host says
}

// ask tells the host what the image is, and waits until it lets the work go on.
func (s *speaker) ask(g Geometry) error {
	if err := s.say(message{Geometry: &g}); err != nil {
		return err
	}
	var answer goAhead
	if err := s.host.Decode(&answer); err != nil || !answer.Go {
		return fmt.Errorf("the host did not let it go on: %w", err)
	}
	return nil
}

func (s *speaker) say(m message) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.enc.Encode(m)
}

// watch reports the progress now and then, and at the end, until the
// returned function is called. A host that is gone is noticed by its signal.
func (s *speaker) watch(now func() Progress, every time.Duration) (stop func()) {
	quit, gone := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(gone)
		tick := time.NewTicker(every)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				_ = s.tell(now())
			case <-quit:
				_ = s.tell(now())
				return
			}
		}
	}()
	return func() { close(quit); <-gone }
}

func (s *speaker) tell(p Progress) error {
	if p.Total > 0 { // it is unknown of some streams
		p.Position = min(p.Position, p.Total)
	}
	return s.say(message{Progress: &p})
}
