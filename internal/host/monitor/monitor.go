// Package monitor feeds the progress messages of a deployment to a program of the
// administrator's, PROGRESS_MONITOR.
//
// Whatever that program does, it never harms or delays the deployment: messages
// that it does not read are dropped, what it prints is bounded, and it is killed
// when it stays after the end.
package monitor

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"

	"snf-image/internal/command"
	"snf-image/internal/host/confine"
	"snf-image/internal/report"
)

// Limits of what a monitor may take.
const (
	maxQueue = 256              // messages it has not read yet
	maxLines = 100              // lines it prints that reach the log
	farewell = 10 * time.Second // from the end of its input to its own
)

// Monitor is a running program and a sink for messages.
type Monitor struct {
	*report.JSONSink
	input   *os.File
	queue   chan []byte
	written chan struct{} // closed when the queue is
	ended   chan struct{} // closed when the program has ended
	kill    context.CancelFunc
	log     *slog.Logger
	grace   time.Duration

	mu     sync.Mutex
	closed bool
	lost   bool // a message, so far
}

var _ report.Sink = (*Monitor)(nil)

// Start starts the program argv. It runs in "/", in a process group of its own,
// with LC_ALL and PATH as its environment and none of our descriptors; what it
// prints goes to log. The caller must Close it.
func Start(argv []string, log *slog.Logger) (*Monitor, error) {
	path, err := command.Find(argv[0])
	if err != nil {
		return nil, err
	}
	r, w, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("making a pipe to the progress monitor: %w", err)
	}
	ctx, kill := context.WithCancel(context.Background())
	m := &Monitor{
		input: w, queue: make(chan []byte, maxQueue), written: make(chan struct{}), ended: make(chan struct{}),
		kill: kill, log: log, grace: farewell,
	}
	m.JSONSink = report.NewJSONSink(enqueuer{m}, "", time.Now)
	go m.run(ctx, path, argv, r)
	go m.feed()
	return m, nil
}

// run runs the program to its end. It is the administrator's: it keeps the identity, may
// become somebody else, and sees the end of its input if this process dies.
func (m *Monitor) run(ctx context.Context, path string, argv []string, input *os.File) {
	defer close(m.ended)
	said := &lines{log: m.log}
	p, err := confine.Child{
		Path: path, Args: argv, Env: command.Environment(), Stdin: input, Stdout: said, Stderr: said,
		Stays: true, Stage: confine.Stage{Privileges: true}, Grace: time.Second,
	}.Start(ctx)
	started := err == nil
	if started {
		err = p.Wait()
		_ = syscall.Kill(-p.Process.Pid, syscall.SIGKILL) // whatever it left behind in its group
	}
	_ = input.Close() // so that writing to a program that has ended fails
	said.end()
	switch {
	case !started:
		m.log.Warn("the progress monitor did not run, its messages are lost: " + report.Clean(err.Error()))
	case err != nil: // its status means nothing, but may explain a lot
		m.log.Debug("the progress monitor ended: " + report.Clean(argv[0]+": "+err.Error()))
	}
}

// feed writes the queue to the program until it, or the program, has ended.
func (m *Monitor) feed() {
	defer close(m.written)
	var broken error
	for line := range m.queue {
		if broken == nil {
			_, broken = m.input.Write(line)
		}
	}
	_ = m.input.Close()
}

// enqueuer takes the lines of the JSON sink.
type enqueuer struct{ m *Monitor }

// Write takes a line if there is room for it.
func (e enqueuer) Write(p []byte) (int, error) {
	e.m.mu.Lock()
	defer e.m.mu.Unlock()
	if e.m.closed {
		return len(p), nil
	}
	select {
	case e.m.queue <- append([]byte(nil), p...):
	default:
		if !e.m.lost {
			e.m.log.Warn("the progress monitor does not read its messages: some are lost")
		}
		e.m.lost = true
	}
	return len(p), nil
}

// Close ends the program's input and gives it a while to end.
func (m *Monitor) Close() {
	m.mu.Lock()
	if !m.closed {
		m.closed = true
		close(m.queue)
	}
	m.mu.Unlock()
	timer := time.NewTimer(m.grace)
	defer timer.Stop()
	select {
	case <-m.ended:
	case <-timer.C:
		m.log.Warn(fmt.Sprintf("the progress monitor did not end within %s after the last message and is killed", m.grace))
	}
	m.kill()
	_ = m.input.SetWriteDeadline(time.Unix(1, 0)) // a pipe that somebody else keeps open
	<-m.ended
	<-m.written
}

// lines passes what the program prints on to the log, up to a limit.
type lines struct {
	log  *slog.Logger
	rest []byte
	n    int
}

// maxLine bounds a line in bytes.
const maxLine = 512

// Write takes everything, so that the program never has to wait.
func (l *lines) Write(p []byte) (int, error) {
	for part := range strings.SplitAfterSeq(string(p), "\n") {
		if l.n > maxLines {
			break
		}
		l.rest = append(l.rest, part[:min(len(part), maxLine-len(l.rest))]...)
		if strings.HasSuffix(part, "\n") {
			l.end()
		}
	}
	return len(p), nil
}

// end logs the line that was begun.
func (l *lines) end() {
	text := strings.TrimRight(string(l.rest), "\r\n")
	l.rest = l.rest[:0]
	if text == "" || l.n > maxLines {
		return
	}
	if l.n++; l.n > maxLines {
		text = "more of what it prints is left out"
	}
	l.log.Info("progress monitor: " + report.Clean(text))
}
