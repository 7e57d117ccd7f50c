package nbd

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"snf-image/internal/host/confine"
	"snf-image/internal/report"
	"snf-image/tests/jail"
	"snf-image/tests/storage"
)

func TestMain(m *testing.M) {
	if os.Args[0] == confine.Name {
		fmt.Fprintln(os.Stderr, confine.Launch(os.Args))
		os.Exit(1)
	}
	if jail.Asked(os.Args) {
		jail.Main(os.Args)
		return
	}
	os.Exit(m.Run())
}

const diskSize = 8 << 20

// disk is a file of diskSize bytes of 0xA5.
func disk(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "disk")
	if err := os.WriteFile(path, bytes.Repeat([]byte{0xa5}, diskSize), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// remote is the URI of a disk another qemu-nbd serves.
func remote(t *testing.T, path string) string {
	t.Helper()
	return storage.File(t, path).URI()
}

func serve(t *testing.T, uri string, readOnly bool) *Server {
	t.Helper()
	s, err := Serve(t.Context(), uri, "the disk", readOnly, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func dial(t *testing.T, s *Server) *Client {
	t.Helper()
	conn, e, err := s.Dial(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	c := NewClient(conn, e)
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func TestServer(t *testing.T) {
	t.Parallel()
	path := disk(t)
	s := serve(t, remote(t, path), false)
	a, b := dial(t, s), dial(t, s)
	if e := a.Export(); e.Size != diskSize || e.ReadOnly() || !e.Allocation {
		t.Errorf("Export = %+v, want %d bytes to write, and what is allocated", e, diskSize)
	}
	if _, err := a.WriteAt([]byte("hello"), 5<<20); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(a.Zero(1<<20, 2<<20, true), a.Flush()); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, diskSize)
	if _, err := b.ReadAt(got, 0); err != nil {
		t.Fatal(err)
	}
	want := bytes.Repeat([]byte{0xa5}, diskSize)
	clear(want[1<<20 : 3<<20])
	copy(want[5<<20:], "hello")
	file, err := os.ReadFile(path)
	if err != nil || !bytes.Equal(got, want) || !bytes.Equal(file, want) {
		t.Errorf("the disk is not what was written: %v", err)
	}
	extents, err := b.Status(1<<20, 4<<20)
	if err != nil || len(extents) != 2 || extents[0] != (Extent{2 << 20, true}) || extents[1] != (Extent{2 << 20, false}) {
		t.Errorf("Status = %v, %v, want 2 MiB of zero and 2 MiB of data", extents, err)
	}
}

// TestServerEnds: the server goes by itself when nobody is connected any more.
func TestServerEnds(t *testing.T) {
	t.Parallel()
	s := serve(t, remote(t, disk(t)), false)
	c := dial(t, s)
	if left, _ := filepath.Glob("/run/snf-image-nbd-*"); len(left) > 0 && os.Geteuid() == 0 {
		t.Errorf("while it serves there is %v", left)
	}
	_ = c.Close()
	start := time.Now()
	if err := s.Close(); err != nil || time.Since(start) > closeLimit/2 {
		t.Errorf("Close = %v after %v, want an end by itself", err, time.Since(start))
	}
	if _, err := c.ReadAt(make([]byte, 1), 0); !errors.Is(err, ErrGone) {
		t.Errorf("ReadAt after the end = %v, want %v", err, ErrGone)
	}
	if _, _, err := s.Dial(t.Context()); err == nil {
		t.Error("Dial after the end succeeded")
	}
}

func TestServerReadOnly(t *testing.T) {
	t.Parallel()
	c := dial(t, serve(t, remote(t, disk(t)), true))
	if _, err := c.WriteAt([]byte("x"), 0); !c.Export().ReadOnly() || !errors.Is(err, unix.EROFS) {
		t.Errorf("WriteAt = %v, want %v", err, unix.EROFS)
	}
}

func TestServerFails(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		uri  string
		kind report.Kind
		want string
	}{
		{"nbd+unix:///?socket=/nonexistent/socket", report.Disk, "the disk: Failed to connect to '/nonexistent/socket': No such file"},
		{"sheepdog:gone", report.Node, "Unknown protocol 'sheepdog'; install qemu-block-extra"},
	} {
		s := serve(t, tc.uri, false)
		_, _, err := s.Dial(t.Context())
		if report.KindOf(err) != tc.kind || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v (%s), want %q", tc.uri, err, report.KindOf(err), tc.want)
		}
	}
}

// TestServerMute connects to what accepts and says nothing: opening ends when
// the caller says so, and the child is killed.
func TestServerMute(t *testing.T) {
	t.Parallel()
	socket := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	s := serve(t, "nbd+unix:///?socket="+socket, false)
	ctx, cancel := context.WithCancelCause(t.Context())
	enough := errors.New("enough")
	go func() {
		_, _ = l.Accept() // the child has come this far
		cancel(enough)
	}()
	if _, _, err := s.Dial(ctx); !errors.Is(err, enough) {
		t.Errorf("Dial = %v, want %v", err, enough)
	}
	start := time.Now()
	if _ = s.Close(); time.Since(start) > closeLimit/2 {
		t.Errorf("Close took %v", time.Since(start))
	}
}
