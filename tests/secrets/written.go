package secrets

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// written gets each file that was closed after writing, on all file systems that
// hold the directories of a search, whatever mount namespace it was written in.
type written struct {
	s  *Search
	fd int
}

// openWritten starts to collect files. It needs CAP_SYS_ADMIN and Linux 4.20.
func (s *Search) openWritten() (*written, error) {
	fd, err := unix.FanotifyInit(unix.FAN_CLASS_NOTIF|unix.FAN_CLOEXEC|unix.FAN_NONBLOCK|unix.FAN_UNLIMITED_QUEUE,
		unix.O_RDONLY|unix.O_CLOEXEC|unix.O_NONBLOCK|unix.O_NOATIME)
	if err != nil {
		return nil, fmt.Errorf("watching files with fanotify: %w", err)
	}
	roots := s.Roots
	if len(roots) == 0 {
		roots = []string{"/"}
	}
	for _, root := range roots {
		for _, dir := range s.Dirs {
			path := filepath.Join(root, dir)
			err := unix.FanotifyMark(fd, unix.FAN_MARK_ADD|unix.FAN_MARK_FILESYSTEM, unix.FAN_CLOSE_WRITE, unix.AT_FDCWD, path)
			if err != nil {
				_ = unix.Close(fd)
				return nil, fmt.Errorf("watching the files below %s: %w", path, err)
			}
		}
	}
	return &written{s, fd}, nil
}

// follow looks at the files until stop is closed, and then at those that were
// closed before.
func (w *written) follow(stop <-chan struct{}) {
	defer unix.Close(w.fd) //nolint:errcheck // nothing was written to it
	const wait = 20        // ms
	for last := false; !last; {
		select {
		case <-stop:
			last = true
		default:
			_, _ = unix.Poll([]unix.PollFd{{Fd: int32(w.fd), Events: unix.POLLIN}}, wait)
		}
		if err := w.drain(); err != nil {
			w.s.t.Errorf("watching files: %v", err)
			return
		}
	}
}

// drain takes all there is.
func (w *written) drain() error {
	buf := make([]byte, 4096)
	for {
		n, err := unix.Read(w.fd, buf)
		switch {
		case errors.Is(err, unix.EAGAIN):
			return nil
		case errors.Is(err, unix.EINTR):
			continue
		case err != nil:
			return err
		}
		if err := w.events(buf[:n]); err != nil {
			return err
		}
	}
}

func (w *written) events(b []byte) error {
	for len(b) > 0 {
		var event unix.FanotifyEventMetadata
		if err := binary.Read(bytes.NewReader(b), binary.NativeEndian, &event); err != nil {
			return err
		}
		b = b[event.Event_len:]
		if event.Fd < 0 {
			return errors.New("events were lost")
		}
		f := os.NewFile(uintptr(event.Fd), "written")
		w.file(f)
		if err := f.Close(); err != nil {
			return err
		}
	}
	return nil
}

// file looks at a file and its name, if it lies where it is looked for.
func (w *written) file(f *os.File) {
	path, err := os.Readlink(fmt.Sprintf("/proc/self/fd/%d", f.Fd()))
	path = strings.TrimSuffix(path, " (deleted)")
	if err != nil || !w.s.temporary(path) {
		return
	}
	w.s.Text(Temporary, path, path)
	w.s.add(Temporary, path, w.s.read(f))
}

// temporary reports whether a path is where temporary files are looked for.
func (s *Search) temporary(path string) bool {
	return longest(path, s.Dirs) > longest(path, s.Except)
}

// longest returns the length of the longest of dirs that path is in, 0 for none.
func longest(path string, dirs []string) int {
	n := 0
	for _, dir := range dirs {
		if path == dir || strings.HasPrefix(path, dir+"/") {
			n = max(n, len(dir))
		}
	}
	return n
}
