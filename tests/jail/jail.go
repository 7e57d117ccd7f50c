// Package jail stands in for a child process that was taken over. A test runs it with the
// confinement of the real one, and compares what it can do with the table in
// docs/security.md.
//
// A test binary is its own stand-in: its TestMain calls [Main] when [Asked].
package jail

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// mark is the first argument of a stand-in.
const mark = "jail"

// Outcomes of an attempt.
const (
	Allowed = "allowed"
	Refused = "refused"
	Killed  = "killed" // the process, at once
)

// node is what there is for the taking.
type node struct {
	dir  string // holds the files everybody, spare and secret, and the socket socket
	port int    // on loopback, listening
	pid  int    // of the test
}

// Fixture is a node for stand-ins, until the test ends.
type Fixture struct{ node }

// NewFixture makes one.
func NewFixture(t testing.TB) Fixture {
	t.Helper()
	dir, err := os.MkdirTemp("/var/tmp", "snf-image-jail-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	f := Fixture{node{dir: dir, pid: os.Getpid()}}
	for name, mode := range map[string]os.FileMode{"everybody": 0o666, "spare": 0o666, "secret": 0o600} {
		path := f.dir + "/" + name
		if err := errors.Join(os.WriteFile(path, []byte("canary"), mode), os.Chmod(path, mode)); err != nil {
			t.Fatal(err)
		}
	}
	listen(t, unix.AF_UNIX, &unix.SockaddrUnix{Name: f.dir + "/socket"})
	listen(t, unix.AF_UNIX, &unix.SockaddrUnix{Name: f.abstract()})
	fd := listen(t, unix.AF_INET, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}})
	name, err := unix.Getsockname(fd)
	if err := errors.Join(err, os.Chmod(f.dir+"/socket", 0o777), os.Chmod(f.dir, 0o777)); err != nil {
		t.Fatal(err)
	}
	f.port = name.(*unix.SockaddrInet4).Port
	return f
}

// abstract is the name of a socket that has no path.
func (n node) abstract() string { return "@" + n.dir }

// listen makes a socket that others can connect to.
func listen(t testing.TB, family int, name unix.Sockaddr) int {
	t.Helper()
	fd, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Close(fd) })
	if err := errors.Join(unix.Bind(fd, name), unix.Listen(fd, 64)); err != nil {
		t.Fatal(err)
	}
	return fd
}

// Args are the arguments of a stand-in, after the name of the process, that tries these.
func (f Fixture) Args(names ...string) []string {
	return append([]string{mark, f.dir, strconv.Itoa(f.port), strconv.Itoa(f.pid)}, names...)
}

// Asked reports whether args are those of a stand-in.
func Asked(args []string) bool { return len(args) > 4 && args[1] == mark }

// Main tries what args name, and prints a line about each on stderr.
func Main(args []string) {
	n := node{dir: args[2]}
	n.port, _ = strconv.Atoi(args[3])
	n.pid, _ = strconv.Atoi(args[4])
	for _, name := range args[5:] {
		for _, a := range attempts {
			if a.name == name {
				fmt.Fprintf(os.Stderr, "%s: %s: %s\n", mark, name, outcome(a.do(n)))
			}
		}
	}
}

// outcome puts the cause in brackets, for who reads a failure.
func outcome(err error) string {
	if err == nil {
		return Allowed
	}
	return fmt.Sprintf("%s (%v)", Refused, err)
}

// Names are those of all attempts, in order.
func Names() (names []string) {
	for _, a := range attempts {
		names = append(names, a.name)
	}
	return names
}

// Outcomes reads what a stand-in printed.
func Outcomes(text string) map[string]string {
	found := map[string]string{}
	for line := range strings.Lines(text) {
		if name, result, ok := strings.Cut(strings.TrimPrefix(strings.TrimSpace(line), mark+": "), ": "); ok {
			found[name] = result
		}
	}
	return found
}
