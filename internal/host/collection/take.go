package collection

import (
	"bytes"
	"cmp"
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
	"slices"
	"strings"
	"time"

	"snf-image/internal/host/fetch"
	"snf-image/internal/host/keyring"
	"snf-image/internal/host/room"
	"snf-image/internal/host/sums"
	"snf-image/internal/host/trust"
	"snf-image/internal/report"
)

// take verifies the image that r gives, and writes it into the directory of the change. It
// reports whether it is the one that is here already, which is known before it is read.
func (t *taking) take(ctx context.Context, place trust.Place, r io.Reader, length int64) (unchanged bool, err error) {
	check, err := trust.Find(ctx, t.Keys, t.claim, place)
	//lint:ignore SA5001 there is a check with an error, too
	defer check.Close()
	if err != nil {
		return false, err
	}
	if p := check.Proof(); p.Signer.Key != "" {
		if err := t.older(p.Signer); err != nil {
			return false, err
		}
	}
	if t.Update && t.old.is() && !t.better() && t.same(check.Expected(), place.Names[0]) {
		return true, nil
	}
	if want := check.Expected(); want.Algorithm == t.only.Algorithm && want.Hex != t.only.Hex {
		return false, errMoved
	}
	name := place.Names[0]
	again := t.again()
	if again != nil {
		r = io.TeeReader(r, again)
	}
	size, own, err := t.write(ctx, name, check, r, length)
	if err != nil {
		return false, err
	}
	proof, err := check.Conclude()
	t.out.Warning = append(t.out.Warning, proof.Warnings...)
	if err == nil {
		err = t.older(proof.Signer)
	}
	if err != nil {
		return false, err
	}
	t.describe(name, size, proof, own)
	if t.only.Hex != "" || again != nil && hex.EncodeToString(again.Sum(nil)) == t.old.sum("").Hex { // it is the same image
		t.out.Digest = t.old.Digest
	}
	return false, nil
}

// describe makes the pin. own is the digest of what nothing else has a digest of.
func (t *taking) describe(name string, size int64, proof trust.Proof, own hash.Hash) {
	t.out.Pin = Pin{
		Name: t.Entry.Name, File: name, Size: size, Pulled: time.Now().UTC().Truncate(time.Second),
		Proof: proof.Kind, Key: proof.Signer.Key, Owner: proof.Signer.Name, By: proof.By, Signed: proof.Signer.Date.UTC(),
		Digest: "sha512:" + hex.EncodeToString(own.Sum(nil)), sums: proof.Sums, signature: proof.Signature,
	}
	if proof.Digest != "" {
		t.out.Digest = proof.Algorithm + ":" + proof.Digest
	}
	if proof.Kind == "" {
		t.out.Warning = append(t.out.Warning, t.Entry.Name+": nothing proves this image but the connection it came over; its digest is pinned as it is")
	}
}

// again computes the digest that the present pin has, of an image that is only proved anew;
// nil where it is not.
func (t *taking) again() hash.Hash {
	switch {
	case !t.old.is() || !t.better():
		return nil
	case t.old.sum("").Algorithm == "sha256":
		return sha256.New()
	}
	return sha512.New()
}

// better reports whether the image will be proved as somebody requires it who does not find
// enough in the present pin.
func (t *taking) better() bool {
	given := slices.ContainsFunc(t.claim.Digests, func(d trust.Digest) bool { return d.Doubt == "" })
	return t.old.Doubt(t.Entry) != "" && (given || len(t.claim.Keys) > 0)
}

// same reports whether the image is the pinned one, as far as that is known before it is
// read: by its checksum, by the signature over it, or by a digest that was given.
func (t *taking) same(want sums.Sum, image string) bool {
	for _, d := range t.claim.Digests {
		if d.Algorithm+":"+d.Hex == t.old.Digest {
			return true
		}
	}
	if want.Algorithm != "" {
		return want.Algorithm+":"+want.Hex == t.old.Digest
	}
	name := strings.ReplaceAll(t.claim.Signature, "%", image)
	now, then := t.read[name], []byte(nil)
	if now != nil {
		then, _ = os.ReadFile(filepath.Join(t.old.Dir, path.Base(name)))
	}
	return t.claim.Sums == "" && now != nil && bytes.Equal(now, then)
}

// older refuses what was signed before the pinned image, or is no longer signed: whoever
// stands between the vendor and this node may show yesterday's files.
func (t *taking) older(s keyring.Signer) error {
	switch {
	case t.old == nil || t.AllowOlder || t.old.Key == "", t.only.Hex != "": // or it is the pinned one itself
		return nil
	case s.Key == "":
		return fmt.Errorf("%w, by %s", ErrUnsigned, t.old.Key)
	case s.Date.Before(t.old.Signed):
		return fmt.Errorf("%w: on %s, that one on %s", ErrOlder, s.Date.UTC().Format(time.RFC3339), t.old.Signed.Format(time.RFC3339))
	}
	return nil
}

// write stores the image while it is verified. It returns how long it is, and a digest of
// its own.
func (t *taking) write(ctx context.Context, name string, check *trust.Check, r io.Reader, length int64) (int64, hash.Hash, error) {
	f, err := t.change.create(name)
	if err != nil {
		return 0, nil, report.Bare(err)
	}
	own := sha512.New()
	to := io.MultiWriter(&room.Keeper{File: f}, check)
	if !check.Needed() {
		to = io.MultiWriter(&room.Keeper{File: f}, own)
	}
	err = room.For(f, max(length, 0))
	var n int64
	if err == nil {
		n, err = io.CopyBuffer(to, &counted{ctx: ctx, r: r, tell: func(got int64) { t.Progress(got, length) }}, make([]byte, 1<<20))
	}
	err = errors.Join(err, report.Bare(f.Close()))
	if err == nil && n == 0 {
		err = errors.New("it is empty")
	}
	return n, own, err
}

// counted counts what is read, and ends with its context.
type counted struct {
	ctx  context.Context
	r    io.Reader
	got  int64
	tell func(int64)
}

// Read reads.
func (c *counted) Read(p []byte) (int, error) {
	if c.ctx.Err() != nil {
		return 0, context.Cause(c.ctx)
	}
	n, err := c.r.Read(p)
	c.got += int64(n)
	c.tell(c.got)
	return n, err
}

// failure says what did not work, and what helps.
func (o *Order) failure(on string, err error) error {
	if _, ok := errors.AsType[*report.Failure](err); ok || err == nil {
		return err
	}
	f := &report.Failure{Kind: report.Image, What: "pulling " + o.Entry.Name, On: on, Cause: err}
	_, short := errors.AsType[room.Short](err)
	switch {
	case errors.Is(err, ErrBusy):
		f.Kind, f.Remedy = report.Busy, "wait until it is done"
	case errors.Is(err, ErrOlder), errors.Is(err, ErrUnsigned):
		f.Remedy = "wait until your mirror has the present files; take it all the same with --allow-older"
	case errors.Is(err, ErrPinned):
		f.Remedy = "correct the digest, or take what the vendor has now with --update"
	case errors.Is(err, errMoved), errors.Is(err, trust.ErrGiven) && !o.Update && o.Digest.Hex == "":
		f.Remedy = "the vendor may have a newer image under that name: ask for it with --update"
	case errors.Is(err, trust.ErrDemand) && len(o.Entry.Keys) > 0:
		f.Remedy = "get the vendor's key, compare its fingerprint with the entry's, and add it with \"snf-image key add\""
	case errors.Is(err, trust.ErrDemand):
		f.Remedy = "give its digest with --digest, after you compared it with what the vendor publishes elsewhere"
	case errors.Is(err, ErrDamaged):
		f.Remedy = "export it again, and carry the archive over as it is"
	case short:
		f.Kind, f.Remedy = report.Node, "make room in IMAGE_DIR"
	case errors.Is(err, fs.ErrPermission), errors.Is(err, os.ErrClosed):
		f.Kind, f.Remedy = report.Node, "check who may write to IMAGE_DIR"
	default:
		f.Remedy = cmp.Or(trust.Remedy(err), fetch.Remedy(err), "check the entry's URL, and whether this node reaches the server")
	}
	return f
}
