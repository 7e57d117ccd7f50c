// Package reportfile puts the report of a deployment where the administrator wants it: into
// a file, a terminal or a pipe, or into the directory of the last reports.
//
// A file appears complete or not at all, readable by its owner alone. Nothing that is put in
// its place while the deployment runs leads the report elsewhere.
package reportfile

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"snf-image/internal/report"

	"golang.org/x/sys/unix"
)

// Destination is where a report will be written. It is opened before there is
// anything to report, and only once: renaming in its directory meanwhile does not lead the
// report elsewhere.
type Destination struct {
	// dir is the directory of the file name, which need not be there.
	dir  *os.File
	name string
	// stream is a terminal, a pipe or the like; dir is nil then. It is
	// held by a descriptor that nothing can be written to.
	stream *os.File
}

// Open opens the place of the file path, or what is there if that is a
// terminal or a pipe. It refuses what a report must not replace, and leaves nothing
// behind.
func Open(path string) (*Destination, error) {
	if fd, err := unix.Open(path, unix.O_PATH|unix.O_CLOEXEC, 0); err == nil {
		there := os.NewFile(uintptr(fd), path)
		st, err := there.Stat()
		switch {
		case err != nil:
		case st.IsDir():
			err = errors.New("it is a directory")
		case st.Mode()&fs.ModeType == fs.ModeDevice:
			err = errors.New("it is a block device")
		case !st.Mode().IsRegular():
			return &Destination{stream: there}, nil // opening a pipe would wait for its reader
		}
		if err = errors.Join(err, there.Close()); err != nil {
			return nil, err
		}
	}
	fd, err := unix.Open(filepath.Dir(path), unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	d := &Destination{dir: os.NewFile(uintptr(fd), filepath.Dir(path)), name: filepath.Base(path)}
	if err := d.try(); err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return d, nil
}

// try makes a temporary file, as put will, and refuses a link.
func (d *Destination) try() error {
	var st unix.Stat_t
	if err := unix.Fstatat(int(d.dir.Fd()), d.name, &st, unix.AT_SYMLINK_NOFOLLOW); err == nil && st.Mode&unix.S_IFMT == unix.S_IFLNK {
		return errors.New("it is a symbolic link, which would be replaced")
	}
	f, err := d.temporary()
	if err != nil {
		return err
	}
	return errors.Join(f.Close(), d.remove(f.Name()))
}

// Close gives the place up.
func (d *Destination) Close() error {
	if d.stream != nil {
		return d.stream.Close()
	}
	return d.dir.Close()
}

// Put writes a report as JSON in one step, readable by its owner alone. A file, and
// whatever else has been put in its place since, is replaced and not followed; a
// terminal or a pipe is written to.
func (d *Destination) Put(r *report.Deployment) error {
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return fmt.Errorf("encoding the report: %w", err)
	}
	text = append(text, '\n')
	if d.stream != nil {
		return d.send(text)
	}
	f, err := d.temporary()
	if err != nil {
		return fmt.Errorf("creating the report: %w", err)
	}
	_, err = f.Write(text)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = unix.Renameat(int(d.dir.Fd()), f.Name(), int(d.dir.Fd()), d.name)
	}
	if err != nil {
		_ = d.remove(f.Name())
		return fmt.Errorf("writing the report: %w", err)
	}
	return nil
}

// send writes to a terminal, or to a pipe that somebody reads.
func (d *Destination) send(text []byte) error {
	f, err := os.OpenFile(fmt.Sprintf("/proc/self/fd/%d", d.stream.Fd()), os.O_WRONLY|unix.O_NONBLOCK|unix.O_NOCTTY, 0)
	if err != nil {
		return fmt.Errorf("opening the report: %w", err)
	}
	_, err = f.Write(text)
	return errors.Join(err, f.Close())
}

// temporary makes a file for a report that is not complete yet.
func (d *Destination) temporary() (*os.File, error) {
	name := ".report-" + rand.Text()
	fd, err := unix.Openat(int(d.dir.Fd()), name, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), name), nil
}

// remove removes a temporary file.
func (d *Destination) remove(name string) error { return unix.Unlinkat(int(d.dir.Fd()), name, 0) }
