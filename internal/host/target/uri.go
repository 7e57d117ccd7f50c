package target

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"snf-image/internal/host/diskuri"
	"snf-image/internal/host/nbd"
	"snf-image/internal/host/ownership"
	"snf-image/internal/report"
)

// attachment is what a disk by URI, or in a file of another format, is reached by.
type attachment struct {
	file   *os.File // that holds the disk, nil for a disk by URI
	server *nbd.Server
	client *nbd.Client // ours
	lock   *os.File    // nil for none
	handed []*os.File  // connections of children

	ended atomic.Bool // the context of the run
	stop  func() bool // watching it
}

// commitGrace is how long storage may take for a commit after the run was told to
// end.
const commitGrace = 5 * time.Second

// bound ends the commit to a disk by URI some time after ctx has ended.
func (d *Disk) bound(ctx context.Context) (stop func()) {
	if d.remote == nil {
		return func() {}
	}
	end := context.AfterFunc(ctx, func() {
		time.AfterFunc(commitGrace, func() { _ = d.remote.client.Close() })
	})
	return func() { end() }
}

// OpenURI opens the disk that a URI names, which has been checked. Of the lock, other
// nodes know nothing: that is for the storage.
func OpenURI(ctx context.Context, uri string, o Options) (*Disk, error) {
	d := &Disk{Path: diskuri.Mask(uri), Device: true, remote: &attachment{}}
	err := d.remote.claim(d.Path, uri, o)
	if err == nil {
		err = d.attach(ctx, uri, o)
	}
	if err == nil {
		err = d.plan(o)
	}
	if err != nil {
		_ = d.Close()
		return nil, err
	}
	return d, nil
}

// attach starts the server and connects to it.
func (d *Disk) attach(ctx context.Context, uri string, o Options) error {
	server, err := nbd.Serve(ctx, uri, d.Path, o.ReadOnly || o.DryRun, o.Server)
	if err != nil {
		return err
	}
	d.remote.server = server
	conn, export, err := server.Dial(ctx)
	if err != nil {
		return err
	}
	d.remote.client, d.Size = nbd.NewClient(conn, export), export.Size
	d.remote.stop = context.AfterFunc(ctx, func() { d.remote.ended.Store(true) })
	if export.ReadOnly() && !o.ReadOnly && !o.DryRun {
		return failure(report.Disk, d.Path, errors.New("it is read-only"), "make it writable")
	}
	if o.ReadOnly || o.DryRun {
		return nil
	}
	return d.tryEnd(ctx)
}

// tryEnd writes the last sector as it is. QEMU rounds the size of a disk up to whole
// sectors, and of a disk that ends within one, the last cannot be written: without this,
// a copy would fail at its very end.
func (d *Disk) tryEnd(ctx context.Context) error {
	if d.Size < Sector {
		return nil // which is refused for its size
	}
	stop := context.AfterFunc(ctx, func() { _ = d.remote.client.Close() }) // a disk may never answer
	defer stop()
	end := make([]byte, Sector)
	_, err := d.remote.client.ReadAt(end, d.Size-Sector)
	if err == nil {
		_, err = d.remote.client.WriteAt(end, d.Size-Sector)
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err != nil {
		return failure(report.Disk, d.Path, fmt.Errorf("its last sector cannot be written: %w", err), "make its size a multiple of 512 bytes, and see that there is room")
	}
	return nil
}

// claim keeps other runs on this node away from the disk. All disks by URI share
// one file, in which each has the byte its URI leads to: nothing is left to remove.
func (a *attachment) claim(name, uri string, o Options) error {
	if o.LockDir == "" {
		return nil
	}
	err := ownership.MakeDir(o.LockDir, 0o700)
	if err == nil {
		a.lock, err = os.OpenFile(filepath.Join(o.LockDir, "uris"), os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW, 0o600)
	}
	if err == nil {
		sum := sha256.Sum256([]byte(diskuri.Canonical(uri)))
		kind := int16(unix.F_WRLCK)
		if o.ReadOnly {
			kind = unix.F_RDLCK
		}
		err = setLock(a.lock, kind, int64(binary.BigEndian.Uint64(sum[:])>>2), 1) // within an off_t
	}
	if errors.Is(err, errLocked) {
		return failure(report.Busy, name, errors.New("another run of snf-image uses it"), "wait until that has ended")
	}
	if err != nil {
		return &report.Failure{Kind: report.Node, What: "locking the disk", On: name, Cause: err, Remedy: "see that " + o.LockDir + " is a directory of root's"}
	}
	return nil
}

// release gives up everything. The server ends with the last connection to it; when
// the run was told to end, nobody waits for it.
func (a *attachment) release() error {
	if a.stop != nil {
		a.stop()
	}
	for _, f := range a.handed {
		_ = f.Close() // a child has its own
	}
	if a.client != nil {
		_ = a.client.Close() // it may be broken
	}
	if a.server != nil && a.ended.Load() {
		a.server.Kill()
	} else if a.server != nil {
		_ = a.server.Close()
	}
	if a.lock != nil {
		// A child that is just being forked has a copy of the descriptor.
		return errors.Join(setLock(a.lock, unix.F_UNLCK, 0, 0), a.lock.Close()) // 0: all of it
	}
	if a.file != nil {
		return a.file.Close()
	}
	return nil
}

// Handle returns what a child process reaches the disk by: a descriptor that is d's
// to close and, for a disk by URI, the export it is connected to.
func (d *Disk) Handle(ctx context.Context) (*os.File, *nbd.Export, error) {
	if d.remote == nil {
		return d.File, nil, nil
	}
	f, export, err := d.remote.server.Hand(ctx)
	if err != nil {
		return nil, nil, err
	}
	d.remote.handed = append(d.remote.handed, f)
	return f, &export, nil
}

// Connect returns how to make a connection to the server of a disk by URI, whose
// handshake is still to be done; nil for other disks.
func (d *Disk) Connect() func() (*os.File, error) {
	if d.remote == nil {
		return nil
	}
	return d.remote.server.Connect
}

// Confinement names the layers around the program that serves a disk by URI, and those
// that this node refused.
func (d *Disk) Confinement() (layers, missing []string) {
	if d.remote == nil || d.remote.server == nil {
		return nil, nil
	}
	return d.remote.server.Layers(), d.remote.server.Missing()
}

// Watch calls lost, with the reason, when a disk by URI is lost before ctx ends.
func (d *Disk) Watch(ctx context.Context, lost context.CancelCauseFunc) {
	if d.remote == nil {
		return
	}
	go func() {
		select {
		case <-d.remote.server.Done():
			lost(d.gone("reaching the disk"))
		case <-ctx.Done():
		}
	}()
}

// Explain adds to what a child says of a disk by URI why its server has ended, if
// that is the reason.
func (d *Disk) Explain(err error) error {
	f, ok := errors.AsType[*report.Failure](err)
	if d.remote == nil || d.remote.ended.Load() || !ok || f.Kind != report.Disk || !strings.Contains(f.Error(), nbd.ErrGone.Error()) {
		return err
	}
	return d.gone(f.What)
}

// gone is the failure of what was being done when the server ended.
func (d *Disk) gone(what string) error {
	f := &report.Failure{Kind: report.Disk, What: what, On: d.Path, Cause: nbd.ErrGone}
	if why, ok := errors.AsType[*report.Failure](d.remote.server.Explain(nbd.ErrGone)); ok && !errors.Is(why.Cause, nbd.ErrGone) {
		f.Kind, f.Cause, f.Remedy = why.Kind, fmt.Errorf("%w: %w", nbd.ErrGone, why.Cause), why.Remedy
	}
	return f
}
