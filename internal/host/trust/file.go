package trust

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"snf-image/internal/host/keyring"
	"snf-image/internal/report"
)

// ErrNotFile is the error of an image that cannot be read in order, twice.
var ErrNotFile = errors.New("neither a file nor a block device")

// File verifies an image file with what lies in its directory, as Find does. Its bytes are
// read once. An image that nothing proves is an error, whatever is demanded. The proof that
// is returned with an error says how far the verification got.
func File(ctx context.Context, file string, keys keyring.Keys, claim Claim) (Proof, error) {
	f, err := openImage(file)
	if err != nil {
		return Proof{}, fmt.Errorf("opening the image: %w", report.Bare(err))
	}
	defer f.Close() //nolint:errcheck // only read
	c, err := Find(ctx, keys, claim, Beside(file))
	//lint:ignore SA5001 there is a check with an error, too
	defer c.Close()
	switch p := c.Proof(); {
	case err != nil:
		return p, err
	case !c.Needed():
		return p, &Error{Err: ErrNoProof}
	}
	p, err := c.Read(&interruptible{ctx, f})
	if err == nil && p.Kind == "" { // only a signature, by a key that nobody knows
		err = &Error{c.f.overFile, keyring.ErrUnknownKey}
	}
	return p, err
}

// Beside is the place of a file: what lies beside it is in its directory.
func Beside(file string) Place {
	return Place{Names: []string{filepath.Base(file)}, Read: func(_ context.Context, name string) ([]byte, error) {
		dir, err := os.OpenRoot(filepath.Dir(file))
		if err != nil {
			return nil, report.Bare(err)
		}
		defer dir.Close() //nolint:errcheck // only read
		return readFile(dir, name)
	}}
}

// openImage opens a file or a block device. Opening a pipe would wait for its other end.
func openImage(file string) (*os.File, error) {
	f, err := os.OpenFile(file, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() && (info.Mode()&fs.ModeDevice == 0 || info.Mode()&fs.ModeCharDevice != 0) {
		err = ErrNotFile
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// readFile reads a small file of dir. It must be a regular file: a pipe would never end.
func readFile(dir *os.Root, name string) ([]byte, error) {
	info, err := dir.Stat(name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fs.ErrNotExist
	}
	f, err := dir.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // only read
	return io.ReadAll(io.LimitReader(f, MaxProof+1))
}

// interruptible is a reader that ends with its context.
type interruptible struct {
	ctx context.Context
	r   io.Reader
}

func (i *interruptible) Read(p []byte) (int, error) {
	if i.ctx.Err() != nil {
		return 0, context.Cause(i.ctx)
	}
	return i.r.Read(p)
}
