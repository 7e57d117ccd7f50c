package session

import (
	"fmt"
	"net"
	"os"
	"path/filepath"

	"snf-image/internal/host/vm"
)

// Shell is the host's side of a shell in the helper. The zero Shell is absent.
type Shell struct {
	// Conn is our end; nil for a Shell that listens.
	Conn net.Conn

	file *os.File // QEMU's end, or the listening socket
	dir  string   // of the listening socket
}

// NewShell returns a Shell whose other end is Conn.
func NewShell() (Shell, error) {
	conn, file, err := vm.SocketPair("shell")
	return Shell{Conn: conn, file: file}, err
}

// ListeningShell returns a Shell at a socket only root can reach (HELPER_DEBUG).
func ListeningShell() (Shell, error) {
	dir, err := os.MkdirTemp("/run", "snf-image-debug-")
	if err != nil {
		dir, err = os.MkdirTemp("", "snf-image-debug-")
	}
	if err != nil {
		return Shell{}, fmt.Errorf("making the directory of the debug shell: %w", err)
	}
	f, err := listen(filepath.Join(dir, "shell"))
	if err != nil {
		_ = os.RemoveAll(dir)
		return Shell{}, fmt.Errorf("opening the debug shell's socket: %w", err)
	}
	return Shell{file: f, dir: dir}, nil
}

// listen returns a listening socket at path.
func listen(path string) (*os.File, error) {
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		return nil, err
	}
	l.SetUnlinkOnClose(false)
	defer func() { _ = l.Close() }()
	return l.File()
}

// Address returns the command that connects to a Shell that listens.
func (s Shell) Address() string {
	return "socat -,raw,echo=0,escape=0x1d UNIX-CONNECT:" + filepath.Join(s.dir, "shell")
}

// Close releases the Shell.
func (s Shell) Close() {
	_ = s.file.Close() // a nil *os.File only returns an error
	if s.Conn != nil {
		_ = s.Conn.Close()
	}
	if s.dir != "" {
		_ = os.RemoveAll(s.dir)
	}
}
