// Package storage serves disks by NBD, as the remote storage of tests. It ends what
// it started with the test and leaves no socket behind.
package storage

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// Server is a running server of one disk.
type Server struct {
	Socket string
	stop   func()
}

// Start starts a server: a program and its arguments, in which SOCKET stands for the
// socket it listens at.
func Start(t testing.TB, argv ...string) Server {
	t.Helper()
	program, err := exec.LookPath(argv[0])
	if err != nil {
		if os.Getenv("SNF_STRICT") == "1" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	dir, err := os.MkdirTemp("", "nbd") // a short name: sockets have 107 bytes
	if err != nil {
		t.Fatal(err)
	}
	s := Server{Socket: filepath.Join(dir, "s")}
	var args []string
	for _, a := range argv[1:] {
		args = append(args, strings.ReplaceAll(a, "SOCKET", s.Socket))
	}
	cmd := exec.Command(program, args...)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	s.stop = sync.OnceFunc(func() {
		_ = cmd.Process.Kill() // asked nicely, some wait for who is connected
		_ = cmd.Wait()
		_ = os.RemoveAll(dir)
	})
	t.Cleanup(s.stop)
	s.wait(t)
	return s
}

// wait waits until the server listens.
func (s Server) wait(t testing.TB) {
	t.Helper()
	for start := time.Now(); ; time.Sleep(time.Millisecond) {
		c, err := net.Dial("unix", s.Socket)
		if err == nil {
			_ = c.Close()
			return
		}
		if time.Since(start) > time.Minute {
			t.Fatal(err)
		}
	}
}

// File serves the disk file at path by qemu-nbd, with further options.
func File(t testing.TB, path string, options ...string) Server {
	t.Helper()
	return Start(t, append([]string{"qemu-nbd", "--format=raw", "--socket=SOCKET", "--persistent", "--shared=0", path}, options...)...)
}

// URI is that of the disk.
func (s Server) URI() string { return "nbd+unix:///?socket=" + s.Socket }

// Stop ends the server.
func (s Server) Stop() { s.stop() }
