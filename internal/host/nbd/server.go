package nbd

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"snf-image/internal/command"
	"snf-image/internal/host/confine"
	"snf-image/internal/report"
)

// Tool is the program that serves.
const Tool = "qemu-nbd"

// Time limits of a server.
const (
	openLimit  = 2 * time.Minute // until it has opened the disk
	closeLimit = 5 * time.Second // from the last connection to its end
)

// clients is how many connections there may be at once: ours, the worker's, the
// helper's, and those of helpers that were started in vain.
const clients = 16

// errSlow is the cause of an opening that took too long.
var errSlow = errors.New("it was not opened in time")

// Server is a qemu-nbd that serves one URI to this process alone.
type Server struct {
	name   string
	socket *os.File // O_PATH; it has no name any more
	stop   context.CancelFunc
	used   atomic.Bool // a handshake was done
	done   chan struct{}
	// layers around the program, and those the node refused.
	layers, missing []string

	stderr command.Tail
	err    error // how it ended; valid after done
}

// Serve starts a server for uri, which must have been checked; name stands for
// it in messages. A server whose storage asks for no key of root's has the identity as;
// nil is the caller's. The disk is opened meanwhile: Dial waits for it. The server
// outlives ctx, since others may still be connected: Close ends it.
func Serve(ctx context.Context, uri, name string, readOnly bool, as *syscall.Credential) (*Server, error) {
	return start(ctx, name, func(path string) (confine.Child, error) {
		c := confinement(uri, path, as)
		c.Args = append([]string{path}, arguments("raw", uri, readOnly)...)
		return c, nil
	})
}

// start starts the server that child describes by the path of its program, but for the socket
// it listens on, which becomes the first of its descriptors.
func start(ctx context.Context, name string, child func(path string) (confine.Child, error)) (*Server, error) {
	path, err := command.Find(Tool)
	if err != nil {
		return nil, &report.Failure{
			Kind: report.Node, What: "opening the disk", On: name, Cause: err, Remedy: "install qemu-utils, which has " + Tool,
		}
	}
	c, err := child(path)
	if err != nil {
		return nil, nodeFailure(name, err)
	}
	listener, socket, err := listen()
	if err != nil {
		return nil, nodeFailure(name, err)
	}
	ctx, stop := context.WithCancel(context.WithoutCancel(ctx))
	s := &Server{name: name, socket: socket, stop: stop, done: make(chan struct{}), stderr: command.Tail{Max: maxStderr}}
	c.Files, c.Stderr = append([]*os.File{listener}, c.Files...), &s.stderr
	started := make(chan error, 1)
	go s.run(ctx, c, started)
	if err := <-started; err != nil {
		_ = socket.Close()
		return nil, nodeFailure(name, err)
	}
	return s, nil
}

// maxStderr bounds what is kept of what qemu-nbd prints, in bytes.
const maxStderr = 2048

// Layers names what confines the program.
func (s *Server) Layers() []string { return s.layers }

// Missing names the layers that this node refused.
func (s *Server) Missing() []string { return s.missing }

// run starts the child and sees it through on one thread: the signal at the parent's
// death comes when the thread dies that forked.
func (s *Server) run(ctx context.Context, c confine.Child, started chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	defer close(s.done)
	p, err := c.Start(ctx)
	if err == nil {
		s.layers, s.missing = p.Layers, withoutLayers(c, p.Missing)
	}
	started <- err
	if err == nil {
		err = p.Wait()
	}
	_ = c.Files[0].Close() // a client that waits to be accepted now fails
	if s.err = err; err == nil {
		s.err = ErrGone
	}
}

// listen returns a listening socket, and a descriptor by which it can be reached
// although it has lost its name: nobody else can, and nothing is left behind.
func listen() (listener, socket *os.File, err error) {
	dir, err := os.MkdirTemp("/run", "snf-image-nbd-")
	if err != nil {
		dir, err = os.MkdirTemp("", "snf-image-nbd-")
	}
	if err != nil {
		return nil, nil, fmt.Errorf("making a directory for a socket: %w", err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "s")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		return nil, nil, fmt.Errorf("making a socket: %w", err)
	}
	defer l.Close()
	fd, err := unix.Open(path, unix.O_PATH|unix.O_CLOEXEC|unix.O_NOFOLLOW, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("holding a socket: %w", err)
	}
	socket = os.NewFile(uintptr(fd), "nbd")
	if listener, err = l.File(); err != nil {
		_ = socket.Close()
		return nil, nil, fmt.Errorf("making a socket: %w", err)
	}
	return listener, socket, nil
}

// Connect returns a new connection, whose handshake is still to be done, at once.
func (s *Server) Connect() (*os.File, error) {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nodeFailure(s.name, err)
	}
	f := os.NewFile(uintptr(fd), s.name)
	err = unix.Connect(fd, &unix.SockaddrUnix{Name: fmt.Sprintf("/proc/self/fd/%d", s.socket.Fd())})
	if err != nil {
		_ = f.Close()
		return nil, s.Explain(fmt.Errorf("%w: %w", ErrGone, err))
	}
	return f, nil
}

// Dial returns a new connection that is in the transmission phase.
func (s *Server) Dial(ctx context.Context) (net.Conn, Export, error) {
	f, conn, e, err := s.dial(ctx)
	if err != nil {
		return nil, Export{}, err
	}
	_ = f.Close()
	return conn, e, nil
}

// Hand is Dial for another process: it takes the transmission phase up on the
// descriptor.
func (s *Server) Hand(ctx context.Context) (*os.File, Export, error) {
	f, conn, e, err := s.dial(ctx)
	if err != nil {
		return nil, Export{}, err
	}
	_ = conn.Close() // f is another descriptor of the same socket
	return f, e, nil
}

// dial connects and does the handshake.
func (s *Server) dial(ctx context.Context) (*os.File, net.Conn, Export, error) {
	f, err := s.Connect()
	if err != nil {
		return nil, nil, Export{}, err
	}
	conn, err := net.FileConn(f)
	if err != nil {
		_ = f.Close()
		return nil, nil, Export{}, nodeFailure(s.name, err)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, openLimit, errSlow)
	defer cancel()
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	e, err := Handshake(conn)
	if !stop() && err == nil { // the deadline is set, or about to be
		err = context.Cause(ctx)
	}
	if err == nil {
		s.used.Store(true)
		return f, conn, e, nil
	}
	_, _ = f.Close(), conn.Close()
	if cause := context.Cause(ctx); errors.Is(cause, errSlow) {
		return nil, nil, Export{}, failure(s.name, cause)
	} else if cause != nil {
		return nil, nil, Export{}, &report.Failure{Kind: report.Internal, What: "opening the disk", On: s.name, Cause: cause, Remedy: "run it again"}
	}
	return nil, nil, Export{}, s.Explain(err)
}

// Done is closed when the server has ended.
func (s *Server) Done() <-chan struct{} { return s.done }

// Explain returns the failure that err is, by what the server said if it has
// ended or is about to.
func (s *Server) Explain(err error) error {
	if !errors.Is(err, ErrGone) {
		return failure(s.name, err)
	}
	select {
	case <-s.done:
		return s.ended()
	case <-time.After(closeLimit):
		return failure(s.name, err)
	}
}

// ended is the failure of a server that has ended.
func (s *Server) ended() error {
	said := s.stderr.Text(maxStderr)
	if said == "" {
		return failure(s.name, s.err)
	}
	text := said[strings.LastIndex(said, "\n")+1:]
	f := failure(s.name, errors.New(report.Clean(afterName(text))))
	if strings.Contains(text, "Unknown protocol") || strings.Contains(said, "module block-") {
		f.Kind, f.Remedy = report.Node, "install qemu-block-extra, unless this QEMU has given the driver up"
	}
	return f
}

// afterName cuts "qemu-nbd: Failed to blk_new_open 'URI': ", which says nothing
// new and has the URI as it is.
func afterName(text string) string {
	if _, rest, ok := strings.Cut(text, "blk_new_open '"); ok {
		if i := strings.Index(rest, "': "); i >= 0 {
			return rest[i+3:]
		}
	}
	return strings.TrimPrefix(text, Tool+": ")
}

// Kill ends the server at once.
func (s *Server) Kill() {
	_ = s.socket.Close()
	s.stop()
	<-s.done
}

// Close ends the server. After the last connection, which must have been closed,
// it is given time to close the disk.
func (s *Server) Close() error {
	if s.used.Load() { // else it would wait for somebody
		timer := time.NewTimer(closeLimit)
		defer timer.Stop()
		select {
		case <-s.done:
		case <-timer.C:
		}
	}
	s.Kill()
	return nil
}

func failure(name string, cause error) *report.Failure {
	return &report.Failure{Kind: report.Disk, What: "opening the disk", On: name, Cause: cause, Remedy: "check that it exists and that this node can reach it"}
}

// nodeFailure is the failure of a node that lacks what it takes to open the disk.
func nodeFailure(name string, cause error) *report.Failure {
	return &report.Failure{Kind: report.Node, What: "opening the disk", On: name, Cause: cause, Remedy: "look at the limits of open files, and at /run and /proc"}
}
