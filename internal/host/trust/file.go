package trust

import (
	"context"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"snf-image/internal/report"

	"golang.org/x/sys/unix"
)

// Errors of the verification of a file.
var (
	ErrNotFile  = errors.New("neither a file nor a block device")
	ErrNoProof  = errors.New("no checksum and no signature of it lies beside it")
	ErrMismatch = errors.New("its digest is not the one that was published")
)

// File verifies an image file with what lies in its directory, as Find does. Its bytes are
// read once. The proof that is returned with an error says how far the verification got.
func File(ctx context.Context, file string, keys Keys, bound []string) (Proof, error) {
	dir, err := os.OpenRoot(filepath.Dir(file))
	if err != nil {
		return Proof{}, fmt.Errorf("opening the image's directory: %w", report.Bare(err))
	}
	defer dir.Close() //nolint:errcheck // only read
	image := Image{Names: []string{filepath.Base(file)}, Read: func(_ context.Context, name string) ([]byte, error) { return readFile(dir, name) }, Bound: bound}
	f, err := openImage(file)
	if err != nil {
		return Proof{}, fmt.Errorf("opening the image: %w", report.Bare(err))
	}
	defer f.Close() //nolint:errcheck // only read
	p, err := Find(ctx, keys, image)
	if err == nil && p.Sum.Algorithm == "" && p.OverImage == nil {
		err = ErrNoProof
	}
	if err != nil {
		return p, err
	}
	return p, p.check(keys, image, &interruptible{ctx, f})
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

// check reads the image once, for its digest and the signature over it.
func (p *Proof) check(keys Keys, image Image, r io.Reader) error {
	var h hash.Hash = sha512.New()
	if p.Sum.Algorithm == "sha256" {
		h = sha256.New()
	}
	r = io.TeeReader(r, h)
	if p.OverImage != nil {
		if err := p.CheckImage(keys, image, r); err != nil {
			return err
		}
		if p.Sum.Algorithm == "" && p.Signer.Key == "" { // which is a warning beside a checksum
			return &Error{p.SignatureFile, ErrUnknownKey}
		}
	}
	if _, err := io.Copy(io.Discard, r); err != nil { // what the signature did not read
		return fmt.Errorf("reading the image: %w", err)
	}
	if got := hex.EncodeToString(h.Sum(nil)); p.Sum.Algorithm != "" && got != p.Sum.Hex {
		return &Error{p.From, fmt.Errorf("%w: %s is %s, not %s", ErrMismatch, p.Sum.Algorithm, got, p.Sum.Hex)}
	}
	return nil
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
