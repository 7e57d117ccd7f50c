package deploy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"syscall"

	"snf-image/internal/channel"
	"snf-image/internal/host/target"
	"snf-image/internal/report"
)

// shellPort is the host's side of a shell in the helper.
type shellPort struct {
	file    *os.File // QEMU's end, or the listening socket
	conn    net.Conn // our end, nil with listens
	listens bool
	dir     string // of the listening socket
}

// connectedShell returns a port whose other end is conn.
func connectedShell() (*shellPort, error) {
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("making a socket pair: %w", err)
	}
	ours := os.NewFile(uintptr(fds[0]), "shell")
	defer func() { _ = ours.Close() }()
	p := &shellPort{file: os.NewFile(uintptr(fds[1]), "shell")}
	if p.conn, err = net.FileConn(ours); err != nil {
		_ = p.file.Close()
		return nil, fmt.Errorf("making a socket pair: %w", err)
	}
	return p, nil
}

// listeningShell returns a port at a socket only root can reach (HELPER_DEBUG).
func listeningShell() (*shellPort, error) {
	dir, err := os.MkdirTemp("/run", "snf-image-debug-")
	if err != nil {
		dir, err = os.MkdirTemp("", "snf-image-debug-")
	}
	if err != nil {
		return nil, fmt.Errorf("making the directory of the debug shell: %w", err)
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(dir, "shell"), Net: "unix"})
	if err != nil {
		_ = os.RemoveAll(dir)
		return nil, fmt.Errorf("opening the debug shell's socket: %w", err)
	}
	l.SetUnlinkOnClose(false)
	defer func() { _ = l.Close() }()
	f, err := l.File()
	if err != nil {
		_ = os.RemoveAll(dir)
		return nil, fmt.Errorf("opening the debug shell's socket: %w", err)
	}
	return &shellPort{file: f, listens: true, dir: dir}, nil
}

// address tells how to reach a listening port.
func (p *shellPort) address() string {
	return "socat -,raw,echo=0,escape=0x1d UNIX-CONNECT:" + filepath.Join(p.dir, "shell")
}

func (p *shellPort) close() {
	_ = p.file.Close()
	if p.conn != nil {
		_ = p.conn.Close()
	}
	if p.dir != "" {
		_ = os.RemoveAll(p.dir)
	}
}

// Shell boots the helper with the disks of req and connects terminal to a
// shell in it, until the shell ends or ctx does. No task runs.
func Shell(ctx context.Context, req Request, terminal io.ReadWriter) error {
	r := &run{Request: req, record: newRecord(req)}
	defer r.close()
	var err error
	if r.ids, err = identify(r.Config.HelperUser); err != nil {
		return err
	}
	r.plan = r.Spec.Plan(r.planOptions())
	if err := r.openHelper(); err != nil {
		return err
	}
	if err := r.openDisks(ctx, target.Options{}); err != nil {
		return err
	}
	if r.shell, err = connectedShell(); err != nil {
		return err
	}
	if err := r.admit(ctx); err != nil {
		return err
	}
	h, err := r.bootWith(ctx, r.vmDisks())
	if err != nil {
		return err
	}
	defer h.machine.Stop(killGrace)
	if err := h.talk.send(ctx, channel.DiskReady, nil); err != nil {
		return r.helperError(err, h)
	}
	go func() { _, _ = io.Copy(r.shell.conn, terminal) }()
	go func() { _, _ = io.Copy(terminal, r.shell.conn) }()
	return r.shellEnd(ctx, h)
}

// shellEnd waits for the result that follows the end of the shell.
func (r *run) shellEnd(ctx context.Context, h *helperRun) error {
	_, result, err := h.talk.inspected(ctx)
	if err == nil && result == nil {
		result, err = h.talk.result(ctx, func(report.Event) {})
	}
	if err != nil {
		return r.helperError(err, h)
	}
	if result.Error != "" {
		return &report.Failure{Kind: report.Helper, What: "running a shell in the helper", Cause: errors.New(report.Clean(result.Error))}
	}
	return nil
}
