package collection

import (
	"archive/tar"
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
	"path"
	"path/filepath"
	"strings"

	"snf-image/internal/host/catalogue"
	"snf-image/internal/host/keyring"
	"snf-image/internal/host/shellfile"
	"snf-image/internal/host/trust"
	"snf-image/internal/report"
)

// Errors of archives.
var (
	ErrArchive = errors.New("it is not an archive of image export")
	ErrNoImage = errors.New("only its pin is here")
	// ErrDamaged means that an archive does not hold what was exported.
	ErrDamaged = errors.New("the image in it is not the one that its pin names")
)

// keyFile is the name of the signer's key in an archive: for people, who compare it. An
// import passes it over.
const keyFile = "key.asc"

// Export writes an image, its pin and what proves it as one tar archive. key is the file of
// the key that signed it, empty for none.
func (c Collection) Export(ctx context.Context, name, key string, w io.Writer) error {
	h, err := c.Get(name)
	if err != nil {
		return err
	}
	if h.Image == "" {
		return ErrNoImage
	}
	out := tar.NewWriter(w)
	add := func(as, file string) error {
		f, err := os.Open(file)
		if err != nil {
			return report.Bare(err)
		}
		defer f.Close() //nolint:errcheck // only read
		info, err := f.Stat()
		if err != nil {
			return report.Bare(err)
		}
		head := &tar.Header{Typeflag: tar.TypeReg, Name: h.Name + "/" + as, Size: info.Size(), Mode: 0o644, ModTime: h.Pulled, Format: tar.FormatPAX}
		if err := out.WriteHeader(head); err != nil {
			return err
		}
		_, err = io.Copy(out, &counted{ctx: ctx, r: f, tell: func(int64) {}})
		return err
	}
	files := append([]string{pinName(h.Name)}, h.Files...)
	for _, f := range append(files, h.File) {
		if f == h.File && key != "" {
			if err := add(keyFile, key); err != nil {
				return err
			}
		}
		if err := add(f, filepath.Join(h.Dir, f)); err != nil {
			return err
		}
	}
	return out.Close()
}

// Import takes an image from an archive of Export, and verifies it as Pull does: by the
// entry, the keyring and the demand of this node. o.Entry is found by the name in the
// archive; nothing in it is believed but what is proved.
func (c Collection) Import(ctx context.Context, r io.Reader, find func(name string) (*catalogue.Entry, error), o Order) (*Outcome, error) {
	a := &archive{Reader: tar.NewReader(r)}
	pin, err := a.pin()
	if err != nil {
		return nil, &report.Failure{Kind: report.Image, What: "reading the archive", Cause: err, Remedy: "give one that \"snf-image image export\" wrote"}
	}
	if o.Entry, err = find(pin.Name); err != nil {
		return nil, err
	}
	o.Update = true // whatever is here; an older one is refused
	ch, err := c.begin(pin.Name)
	if err != nil {
		return nil, o.failure(c.dir, err)
	}
	defer ch.end()
	old, err := c.present(pin.Name)
	if err != nil {
		return nil, err
	}
	t := &taking{Order: o, change: ch, old: old}
	t.prepare()
	out, err := t.unpack(ctx, a, pin)
	return out, o.failure("the archive", err)
}

// archive reads what Export writes, in its order.
type archive struct {
	*tar.Reader
	folder string
}

// next returns the next file's name and size.
func (a *archive) next() (string, int64, error) {
	head, err := a.Next()
	if errors.Is(err, io.EOF) {
		return "", 0, io.ErrUnexpectedEOF
	}
	if _, unread := errors.AsType[*fs.PathError](err); unread {
		return "", 0, report.Bare(err)
	}
	if err != nil {
		return "", 0, ErrArchive
	}
	dir, name := path.Split(head.Name)
	if a.folder == "" {
		a.folder = strings.TrimSuffix(dir, "/")
	}
	if head.Typeflag != tar.TypeReg || !goodFile.MatchString(name) || dir != a.folder+"/" || !catalogue.IsName(a.folder) {
		return "", 0, fmt.Errorf("%w: %.200q in it", ErrArchive, head.Name)
	}
	return name, head.Size, nil
}

// small reads a file of which the size is bounded.
func (a *archive) small(size, most int64) ([]byte, error) {
	if size > most {
		return nil, fmt.Errorf("%w: a file of %d bytes", ErrArchive, size)
	}
	return io.ReadAll(a)
}

// pin reads the pin, which comes first.
func (a *archive) pin() (Pin, error) {
	name, size, err := a.next()
	if err != nil {
		return Pin{}, err
	}
	if name != pinName(a.folder) {
		return Pin{}, ErrArchive
	}
	data, err := a.small(size, shellfile.MaxFile)
	if err != nil {
		return Pin{}, err
	}
	p, err := ParsePin(data)
	if err == nil && p.Name != a.folder {
		err = ErrPin
	}
	return p, err
}

// unpack takes the rest of an archive: what proves the image, then the image.
func (t *taking) unpack(ctx context.Context, a *archive, pin Pin) (*Outcome, error) {
	for range maxProofs + 2 {
		name, size, err := a.next()
		if err != nil {
			return nil, err
		}
		if name == pin.File {
			return t.image(ctx, a, pin, size)
		}
		data, err := a.small(size, trust.MaxProof)
		if err != nil {
			return nil, err
		}
		t.read[name] = data
	}
	return nil, fmt.Errorf("%w: too many files before the image", ErrArchive)
}

func (t *taking) image(ctx context.Context, a *archive, pin Pin, size int64) (*Outcome, error) {
	if pin.File != t.Entry.Image() { // else it could name any image its vendor ever signed
		return nil, fmt.Errorf("%w: it holds %s, and the entry here is about %s", ErrArchive, pin.File, t.Entry.Image())
	}
	place := trust.Place{Names: []string{pin.File}, Remote: true, Read: func(_ context.Context, name string) ([]byte, error) {
		if data, ok := t.read[path.Base(name)]; ok {
			return data, nil
		}
		return nil, os.ErrNotExist
	}}
	sum := map[bool]hash.Hash{true: sha256.New(), false: sha512.New()}[strings.HasPrefix(pin.Digest, "sha256:")]
	unchanged, err := t.take(ctx, place, io.TeeReader(a, sum), size)
	if err != nil {
		return nil, err
	}
	if unchanged {
		return &Outcome{Pin: t.old.Pin, Old: &t.old.Pin, Warning: t.out.Warning}, nil
	}
	if hex.EncodeToString(sum.Sum(nil)) != pin.sum("").Hex { // which proves nothing, but tells what was damaged on its way
		return nil, ErrDamaged
	}
	t.out.URL = t.Entry.URL
	if catalogue.SameHost(pin.URL, t.Entry.URL) {
		t.out.URL = pin.URL
	}
	t.out.sums, t.out.signature = path.Base(t.out.sums), path.Base(t.out.signature)
	return t.store()
}

// Verify checks an image that is here again: by its pin, and by what proved it.
func (c Collection) Verify(ctx context.Context, h *Held, o Order) (trust.Proof, []string, error) {
	if h.Image == "" {
		return trust.Proof{}, nil, &report.Failure{Kind: report.Image, What: "verifying the image", On: h.Name, Cause: ErrNoImage, Remedy: "pull the image"}
	}
	var warnings []string
	claim, warning := Claim(o.Entry, o.Keys, o.Demand, "")
	if warning != "" {
		warnings = append(warnings, warning)
	}
	claim.Digests = append(claim.Digests, h.Given(o.Entry, o.Demand.Demand))
	claim.Sums, claim.Signature = base(claim.Sums), base(claim.Signature)
	if len(h.Files) == 0 && claim.Sums+claim.Signature != "" { // it was pulled by its pin, from where nothing was beside it
		claim = trust.Claim{Digests: claim.Digests, Demand: o.Demand.Demand, By: o.Demand.By}
		warnings = append(warnings, h.Name+": nothing that its vendor signed lies beside it; it is compared with its pin alone")
	}
	p, err := h.verify(ctx, o.Keys, claim)
	if doubt := h.Doubt(o.Entry); doubt != "" && (errors.Is(err, trust.ErrDemand) || errors.Is(err, trust.ErrMissing)) {
		err = &report.Failure{Kind: report.Image, What: "verifying the image", On: h.Image, Cause: fmt.Errorf("%w: %s", trust.ErrDemand, doubt), Remedy: o.proveAnew()}
	}
	return p, append(warnings, p.Warnings...), err
}

// verify reads the image. Its file may be named otherwise in what proves it.
func (h *Held) verify(ctx context.Context, keys keyring.Keys, claim trust.Claim) (trust.Proof, error) {
	f, err := os.Open(h.Image)
	if err != nil {
		return trust.Proof{}, report.Bare(err)
	}
	defer f.Close() //nolint:errcheck // only read
	place := trust.Beside(h.Image)
	for _, u := range []string{h.URL, h.Asked} {
		if u != "" {
			place.Names = append(place.Names, path.Base(u))
		}
	}
	check, err := trust.Find(ctx, keys, claim, place)
	//lint:ignore SA5001 there is a check with an error, too
	defer check.Close()
	if err != nil {
		return check.Proof(), err
	}
	return check.Read(&counted{ctx: ctx, r: f, tell: func(int64) {}})
}

// base returns the name that a file beside the image has here.
func base(name string) string {
	if !strings.Contains(name, "://") {
		return name
	}
	return path.Base(name)
}
