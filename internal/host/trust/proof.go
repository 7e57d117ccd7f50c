package trust

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"
)

// Image is an image to find proofs for.
type Image struct {
	// Names are the names of its file: the one asked for first, then what a redirect ended
	// at, which may be another.
	Names []string
	// Read returns a file that lies beside the image, at most MaxProof bytes and one more.
	// The error is fs.ErrNotExist where there is none.
	Read func(ctx context.Context, name string) ([]byte, error)
	// Sums and Signature name the files where that is known (the catalogue says it); else
	// all layouts are tried.
	Sums, Signature string
	// Bound are the fingerprints of the keys that count for this image; none means that any
	// key of the keyring tells who signed, and satisfies nothing.
	Bound []string
}

// Proof is what was found beside an image. The digest and the signature over the image are
// still to be checked against its bytes.
type Proof struct {
	Sum    Sum    // the digest the image must have; of no algorithm when there is none
	From   string // the file that says so
	Signer Signer // who signed that file; without a key when nobody did, or nobody we know
	// OverImage is a detached signature over the image itself.
	OverImage []byte
	// SignatureFile is the file the signature is from, of the checksums or of the image.
	SignatureFile string
	// Warnings are what kept a proof from counting.
	Warnings []string
}

// Error is a proof that is there and wrong, or one that is demanded and cannot be had.
type Error struct {
	File string
	Err  error
}

func (e *Error) Error() string { return fmt.Sprintf("%s: %v", e.File, e.Err) }
func (e *Error) Unwrap() error { return e.Err }

// Find reads what lies beside an image and verifies it as far as that goes without the
// image's bytes. The error is an *Error when a proof is wrong: one that is only missing is
// not. An unknown key is wrong where keys are bound to the image, else a warning.
func Find(ctx context.Context, keys Keys, i Image) (Proof, error) {
	f := finder{Image: i, ring: keys, keys: keys}
	if len(i.Bound) > 0 {
		f.keys = keys.Bound(i.Bound)
	}
	if err := f.sums(ctx); err != nil {
		return Proof{}, err
	}
	if f.proof.Signer.Key == "" {
		if err := f.overImage(ctx); err != nil {
			return Proof{}, err
		}
	}
	return f.proof, nil
}

type finder struct {
	Image
	ring, keys Keys
	proof      Proof
}

// sums looks for a file of checksums that names the image.
func (f *finder) sums(ctx context.Context) error {
	for _, l := range f.layouts() {
		name := expand(l.sums, f.Names[0])
		data, err := f.Read(ctx, name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return fmt.Errorf("reading %s beside the image: %w", name, err)
		}
		found, err := f.useSums(ctx, l, name, data)
		if found || err != nil {
			return err
		}
	}
	if f.Sums != "" {
		return &Error{expand(f.Sums, f.Names[0]), fs.ErrNotExist}
	}
	return nil
}

// layouts returns the rows to try: all, or the one that is known.
func (f *finder) layouts() []layout {
	switch {
	case f.Sums != "":
		l := layout{sums: f.Sums, signatures: sigs(f.Sums), alone: strings.Contains(f.Sums, "%")}
		if f.Signature != "" {
			l.signatures = []string{f.Signature}
		}
		return []layout{l}
	case f.Signature != "": // a signature over the image alone
		return nil
	}
	return layouts
}

// useSums reads one file of checksums. It is not of use, without an error, when it says
// nothing of the image.
func (f *finder) useSums(ctx context.Context, l layout, name string, data []byte) (bool, error) {
	signed := data
	var signer Signer
	var by string
	var err error
	if IsClearsigned(data) {
		signed, signer, err = Clearsigned(f.keys, data)
		if signer, err = f.judge(name, signer, err); err != nil {
			return false, err
		}
		by = name
	}
	all, err := ParseSums(signed)
	if errors.Is(err, ErrNoSums) && f.Sums == "" { // a page that says "not found", perhaps
		return false, nil
	}
	if err != nil {
		return false, &Error{name, err}
	}
	sum, err := Choose(all, f.Names, l.alone)
	if err != nil && l.alone && len(all) == 1 { // the name of the build instead of the link's
		sum, err = Choose([]Sum{{all[0].Algorithm, all[0].Hex, ""}}, nil, true)
	}
	if errors.Is(err, ErrNoEntry) && f.Sums == "" {
		return false, nil
	}
	if err != nil {
		return false, &Error{name, err}
	}
	if by == "" {
		if signer, by, err = f.detached(ctx, l, data); err != nil {
			return false, err
		}
	}
	f.proof.Sum, f.proof.From, f.proof.Signer, f.proof.SignatureFile = sum, name, signer, by
	return true, nil
}

// detached looks for a detached signature over a file of checksums.
func (f *finder) detached(ctx context.Context, l layout, signed []byte) (Signer, string, error) {
	for _, p := range l.signatures {
		name := expand(p, f.Names[0])
		data, err := f.read(ctx, name)
		if err != nil {
			return Signer{}, "", err
		}
		if data == nil {
			continue
		}
		s, err := Verify(f.keys, bytes.NewReader(signed), data)
		s, err = f.judge(name, s, err)
		return s, name, err
	}
	if f.Signature != "" && len(l.signatures) > 0 {
		return Signer{}, "", &Error{expand(f.Signature, f.Names[0]), fs.ErrNotExist}
	}
	return Signer{}, "", nil
}

// overImage looks for a signature over the image itself.
func (f *finder) overImage(ctx context.Context) error {
	patterns := onImage
	switch {
	case f.Signature != "" && f.Sums == "":
		patterns = []string{f.Signature}
	case f.Sums != "":
		return nil
	}
	for _, p := range patterns {
		name := expand(p, f.Names[0])
		data, err := f.read(ctx, name)
		if err != nil {
			return err
		}
		if data != nil {
			f.proof.OverImage, f.proof.SignatureFile = data, name
			return nil
		}
	}
	if f.Signature != "" {
		return &Error{expand(f.Signature, f.Names[0]), fs.ErrNotExist}
	}
	return nil
}

// read returns a signature beside the image, nil when there is none or when what is there
// is not one and nobody said that it is.
func (f *finder) read(ctx context.Context, name string) ([]byte, error) {
	data, err := f.Read(ctx, name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("reading %s beside the image: %w", name, err)
	}
	_, err = Verify(Keys{}, bytes.NewReader(nil), data)
	if errors.Is(err, ErrNoSignature) && f.Signature == "" {
		return nil, nil
	}
	return data, nil
}

// judge decides about a signature that was checked with the keys that count. One by an
// unknown key does not count and is a warning, where no key is bound to the image.
func (f *finder) judge(file string, s Signer, err error) (Signer, error) {
	switch {
	case err == nil:
		return s, nil
	case errors.Is(err, ErrUnknownKey) && len(f.Bound) == 0:
		f.proof.Warnings = append(f.proof.Warnings, fmt.Sprintf("%s: signed by key %s, which is not in the keyring: the signature proves nothing", path.Base(file), s.Key))
		return Signer{}, nil
	case errors.Is(err, ErrUnknownKey) && f.inRing(s):
		return s, &Error{file, fmt.Errorf("%w: %s is in the keyring, but not bound to this image", ErrUnbound, s.Key)}
	}
	return s, &Error{file, fmt.Errorf("%w: key %s", err, s.Key)}
}

// ErrUnbound means that a good key signed what it is not meant for.
var ErrUnbound = errors.New("it is signed by a key for other images")

// inRing reports whether the keyring has the key a signature names, for whatever image.
func (f *finder) inRing(s Signer) bool {
	for _, k := range f.ring.list {
		if strings.HasSuffix(k.Fingerprint, s.Key) || k.hasSubkey(s.Key) {
			return true
		}
	}
	return false
}

// CheckImage checks the signature over the image itself, whose bytes r gives.
func (p *Proof) CheckImage(keys Keys, i Image, r io.Reader) error {
	f := finder{Image: i, ring: keys, keys: keys}
	if len(i.Bound) > 0 {
		f.keys = keys.Bound(i.Bound)
	}
	s, err := Verify(f.keys, r, p.OverImage)
	s, err = f.judge(p.SignatureFile, s, err)
	p.Warnings = append(p.Warnings, f.proof.Warnings...)
	p.Signer = s
	return err
}
