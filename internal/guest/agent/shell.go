package agent

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// shellEnv is the environment of the rescue shell.
var shellEnv = [...]string{
	"HOME=/root", "TERM=vt100", "PS1=helper:\\w# ",
	"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
}

// shell runs an interactive shell on the shell port until it ends or the host
// hangs up. It has a terminal of its own, which this process relays, so that
// job control works.
func (s *session) shell(_ context.Context, why string) error {
	port, err := openPort(s.events, shellPort)
	if err != nil {
		return err
	}
	defer port.Close()
	if _, err := io.WriteString(port, s.banner(why)); err != nil { // waits for the host
		return err
	}
	master, tty, err := openTerminal()
	if err != nil {
		return err
	}
	shell, err := os.StartProcess("/bin/bash", []string{"bash", "--noprofile", "--norc", "-i"}, &os.ProcAttr{
		Dir: "/root", Env: shellEnv[:], Files: []*os.File{tty, tty, tty},
		Sys: &syscall.SysProcAttr{Setsid: true, Setctty: true},
	})
	tty.Close()
	if err != nil {
		return errors.Join(fmt.Errorf("starting the shell: %w", err), master.Close())
	}
	relay(port, master, shell)
	err = master.Close()
	killOthers() // what the shell left in the background
	return err
}

// drainTime is how long the shell's last words may take to reach the host, who
// may be gone: then a write to the port never returns.
const drainTime = 200 * time.Millisecond

// hangUpGrace is how long a shell may take to end after the host hung up. bash
// forgets a SIGHUP that comes between its prompt and its next read.
const hangUpGrace = 2 * time.Second

// relay copies what is typed and printed until the shell ends. When the host
// hangs up, the shell is told so, and killed when it does not listen.
func relay(port io.ReadWriter, master io.ReadWriter, shell *os.Process) {
	printed := make(chan struct{})
	go func() {
		_, _ = io.Copy(port, master) // ends with EIO
		close(printed)
	}()
	go func() {
		_, _ = io.Copy(master, port)
		_ = shell.Signal(unix.SIGHUP)
		time.AfterFunc(hangUpGrace, func() { _ = shell.Kill() })
	}()
	_, _ = shell.Wait() // its status is the user's affair
	select {
	case <-printed:
	case <-time.After(drainTime):
	}
}

func (s *session) banner(why string) string {
	text := "\r\nsnf-image helper. Leave with: exit\r\n"
	if why != "" {
		text += boundText(why, maxText) + "\r\n"
	}
	for i, d := range s.disks {
		text += fmt.Sprintf("disk %d: %s, %d bytes", i, d.Path, d.bytes)
		for _, name := range d.mapped {
			text += " /dev/" + name
		}
		text += "\r\n"
	}
	return text
}

// openTerminal returns both ends of a new pseudo terminal.
func openTerminal() (master, tty *os.File, err error) {
	fd, err := unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("opening a terminal: %w", err)
	}
	master = os.NewFile(uintptr(fd), "/dev/ptmx")
	err = unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0)
	if err == nil {
		var n int
		if n, err = unix.IoctlGetInt(fd, unix.TIOCGPTN); err == nil {
			tty, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
		}
	}
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("opening a terminal: %w", err), master.Close())
	}
	return master, tty, nil
}
