package vm

import (
	"fmt"
	"net"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// plumbing holds the descriptors between the host and QEMU. files[i] is
// descriptor 3+i in QEMU.
type plumbing struct {
	channel          net.Conn
	console, monitor net.Conn
	files            []*os.File
	own              []*os.File // QEMU's ends of the socket pairs, closed after the start
	fd               struct{ kernel, initramfs, channel, console, monitor, shell int }
	disks            []int
}

func newPlumbing(cfg Config) (*plumbing, error) {
	p := &plumbing{}
	pass := func(f *os.File) int {
		p.files = append(p.files, f)
		return len(p.files) + 2
	}
	pair := func(conn *net.Conn, fd *int) error {
		mine, theirs, err := SocketPair("helper")
		if err != nil {
			return err
		}
		*conn, *fd = mine, pass(theirs)
		p.own = append(p.own, theirs)
		return nil
	}
	p.fd.kernel, p.fd.initramfs = pass(cfg.Kernel), pass(cfg.Initramfs)
	err := p.addDisks(cfg.Disks, pass)
	if cfg.Shell != nil {
		p.fd.shell = pass(cfg.Shell)
	}
	for _, e := range []struct {
		conn *net.Conn
		fd   *int
	}{{&p.channel, &p.fd.channel}, {&p.console, &p.fd.console}, {&p.monitor, &p.fd.monitor}} {
		if err == nil {
			err = pair(e.conn, e.fd)
		}
	}
	if err != nil {
		p.closeChild()
		p.closeHost()
		return nil, err
	}
	return p, nil
}

// addDisks opens the connections to the disks and passes them on.
func (p *plumbing) addDisks(disks []Disk, pass func(*os.File) int) (err error) {
	for _, d := range disks {
		f := d.File
		if d.Connect != nil && err == nil {
			f, err = d.Connect()
			p.own = append(p.own, f)
		} else if own := reopen(d); own != nil {
			pass(f) // holds the lock
			f = own
			p.own = append(p.own, own)
		}
		p.disks = append(p.disks, pass(f))
	}
	return err
}

// reopen opens a disk once more for QEMU, nil when that is not possible. The image
// worker switches O_DIRECT of the open file description it shares with the host, and
// QEMU from 9.1 on refuses a descriptor that does not have the flags it expects. The
// locks are in the shared description, which QEMU therefore holds, too.
func reopen(d Disk) *os.File {
	if d.File == nil {
		return nil
	}
	flags := os.O_RDWR
	if d.ReadOnly {
		flags = os.O_RDONLY
	}
	if d.Direct {
		flags |= unix.O_DIRECT
	}
	f, err := os.OpenFile(fmt.Sprintf("/proc/self/fd/%d", d.File.Fd()), flags|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil
	}
	return f
}

func (p *plumbing) closeChild() {
	for _, f := range p.own {
		_ = f.Close()
	}
}

func (p *plumbing) closeHost() {
	for _, c := range []net.Conn{p.channel, p.console, p.monitor} {
		if c != nil {
			_ = c.Close()
		}
	}
}

// SocketPair returns two connected stream sockets, ours as a net.Conn so that
// deadlines work.
func SocketPair(name string) (net.Conn, *os.File, error) {
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("making a socket pair: %w", err)
	}
	ours, theirs := os.NewFile(uintptr(fds[0]), name), os.NewFile(uintptr(fds[1]), name)
	defer func() { _ = ours.Close() }()
	conn, err := net.FileConn(ours)
	if err != nil {
		_ = theirs.Close()
		return nil, nil, fmt.Errorf("making a socket pair: %w", err)
	}
	return conn, theirs, nil
}
