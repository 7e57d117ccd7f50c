package target

import (
	"context"
	"errors"
	"fmt"
	"os"

	"snf-image/internal/host/foreign"
	"snf-image/internal/host/format"
	"snf-image/internal/host/nbd"
	"snf-image/internal/report"
)

// OpenQcow2 opens the disk in the qcow2 file at path, or makes such a file. A program of
// QEMU's reads and writes the file, by the descriptor that is opened and locked here. A block
// device is opened as it is: the format is that of files.
func OpenQcow2(ctx context.Context, path string, o Options) (*Disk, error) {
	if st, err := os.Stat(path); err == nil && isDevice(st) {
		return Open(path, o)
	}
	o.qcow2 = true
	d, err := Open(path, o)
	if err != nil || d.File == nil { // a dry run creates none
		return d, err
	}
	if err := d.serve(ctx, o); err != nil {
		return nil, errors.Join(err, d.Undo(), d.Close())
	}
	return d, nil
}

// serve extends the disk, if that is asked for, and starts the server.
func (d *Disk) serve(ctx context.Context, o Options) error {
	if d.Extended && !o.DryRun {
		if err := nbd.ResizeQcow2(ctx, d.File, d.Path, d.Size); err != nil {
			return err
		}
	}
	server, err := nbd.ServeQcow2(ctx, d.File, d.Path, o.ReadOnly || o.DryRun)
	if err != nil {
		return err
	}
	d.remote, d.File = &attachment{server: server, file: d.File}, nil
	return d.connect(ctx, o)
}

// connect connects to the server of a qcow2 file.
func (d *Disk) connect(ctx context.Context, o Options) error {
	conn, export, err := d.remote.server.Dial(ctx)
	if err != nil {
		return err
	}
	d.remote.client = nbd.NewClient(conn, export)
	d.remote.stop = context.AfterFunc(ctx, func() { d.remote.ended.Store(true) })
	want := d.Size
	if o.DryRun {
		want = d.oldSize
	}
	if export.Size != want {
		return failure(report.Disk, d.Path, fmt.Errorf("QEMU sees a disk of %d bytes, and %d are expected", export.Size, want), "check it (qemu-img check)")
	}
	return nil
}

// measureQcow2 sets d.Size to that of the disk in a qcow2 file, which must not need another
// file.
func (d *Disk) measureQcow2() error {
	size, err := format.Qcow2Size(d.File)
	if err == nil {
		d.Size = size
		return nil
	}
	remedy := "make another file of it (qemu-img convert)"
	header := make([]byte, foreign.HeaderSize)
	if n, _ := d.File.ReadAt(header, 0); foreign.Recognize(header[:n]) == nil {
		remedy = "leave --disk-format out if it is a raw disk file"
	}
	return failure(report.Disk, d.Path, err, remedy)
}

// undoQcow2 takes back what was done to a qcow2 file.
func (d *Disk) undoQcow2() error {
	f := d.file()
	switch {
	case d.Created:
		return removeSame(f, d.Path)
	case !d.Extended:
		return nil
	case d.remote != nil:
		d.remote.server.Kill() // it has the file open
	}
	if size, err := format.Qcow2Size(f); err == nil && size == d.oldSize {
		return nil // it was not extended yet
	}
	return nbd.ResizeQcow2(context.Background(), f, d.Path, d.oldSize)
}

// file returns the file or device of the disk, nil for a disk by URI.
func (d *Disk) file() *os.File {
	if d.remote != nil {
		return d.remote.file
	}
	return d.File
}
