package deploy

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"snf-image/internal/host/fetch"
	"snf-image/internal/host/keyring"
	"snf-image/internal/host/trust"
	"snf-image/internal/host/worker"
	"snf-image/internal/report"
	"snf-image/internal/spec"
)

// proofLimit is how long the search for what proves an image may take.
const proofLimit = 2 * time.Minute

// findProof looks for what proves the image, and refuses what can be refused without its
// bytes. Nothing was touched yet.
func (i *imaging) findProof(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, proofLimit, fmt.Errorf("it took longer than %s", proofLimit))
	defer cancel()
	var keys keyring.Keys
	if i.Keys != nil && i.Claim.Demand != trust.None {
		var err error
		if keys, err = i.Keys(); err != nil {
			return err
		}
	}
	check, err := trust.Find(ctx, keys, i.claim(), i.image.Place)
	i.proof = check
	i.record.proved(check.Proof())
	if err != nil {
		i.warnOf(check.Proof())
		return i.unproved(err)
	}
	if s := i.image.Stream; s != nil && check.Needed() {
		s.Tee(check)
	}
	return nil
}

// claim is the claim of the request. The digest in img_id is enforced whoever made the
// request.
func (i *imaging) claim() trust.Claim {
	c := i.Claim
	d := i.found.Digest
	known := slices.ContainsFunc(c.Digests, func(g trust.Digest) bool { return g.Algorithm == d.Name && g.Hex == d.Hex })
	if d.Name != "" && !known {
		c.Digests = append(slices.Clone(c.Digests), trust.Digest{Algorithm: d.Name, Hex: d.Hex, By: spec.ImgID, Doubt: trust.ByTenant})
	}
	return c
}

// insecure returns the warning about an image that anybody on its way can change; empty for
// no warning.
func insecure(name string, p trust.Proof) string {
	scheme, _, _ := strings.Cut(strings.ToLower(name), "://")
	switch {
	case scheme != "http" && scheme != "ftp":
	case p.Kind == "":
		return fmt.Sprintf("the image comes by %s and nothing proves it: whoever is on the way can change it", scheme)
	case p.Kind == trust.UnsignedSums && !strings.HasPrefix(p.Sums, "https://"):
		return fmt.Sprintf("the image comes by %s, and so do its checksums, which nobody signed: whoever is on the way can change both", scheme)
	}
	return ""
}

// unproved is the failure of an image that is not proved.
func (i *imaging) unproved(err error) error {
	f := &report.Failure{Kind: report.Image, What: "verifying the image", On: i.image.Name, Cause: err, Remedy: trust.Remedy(err)}
	if errors.Is(err, trust.ErrDemand) {
		f.Cause = fmt.Errorf("%w (%s is demanded by %s)", err, i.Claim.Demand, i.Claim.By)
	}
	return f
}

// reading is the reading of an image file for its proof, beside the worker, which reads it
// for the disk. The worker's word would not do: what an image holds may have taken it over.
type reading struct {
	before os.FileInfo
	done   chan error // nil when nothing has to be read
	stop   context.CancelFunc
}

// readForProof begins to read an image file.
func (i *imaging) readForProof(ctx context.Context, cold bool) (r reading, err error) {
	if i.image.Stream != nil || !i.proof.Needed() {
		return r, nil
	}
	if r.before, err = i.image.File.Stat(); err != nil {
		return r, i.misread(err)
	}
	ctx, r.stop = context.WithCancel(ctx)
	r.done = make(chan error, 1)
	go func() { r.done <- feed(ctx, i.proof, i.image.File, i.image.Stored, cold) }()
	return r, nil
}

// end waits until all of the image was read, unless the copy failed with err. Nobody may have
// written to it meanwhile: the worker has read the same bytes then.
func (r reading) end(i *imaging, err error) error {
	if r.done == nil {
		return err
	}
	defer r.stop()
	if err != nil {
		r.stop()
	}
	if readErr := <-r.done; err != nil || readErr != nil {
		return cmp.Or(err, i.misread(readErr))
	}
	after, err := i.image.File.Stat()
	if err == nil && worker.Touched(r.before, after) {
		err = errChanged
	}
	if err != nil {
		return i.misread(err)
	}
	return nil
}

func (i *imaging) misread(err error) error {
	if err == nil {
		return nil
	}
	return &report.Failure{
		Kind: report.Image, What: "reading the image for its proof", On: i.image.Name, Cause: report.Bare(err),
		Remedy: "leave it and its name alone while it is deployed",
	}
}

// feed gives all bytes of a file to w. Those of one that was not in the page cache do not
// stay there.
func feed(ctx context.Context, w io.Writer, f *os.File, size int64, cold bool) error {
	buf := make([]byte, 1<<20)
	for at := int64(0); at < size; at += int64(len(buf)) {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		buf = buf[:min(size-at, int64(len(buf)))]
		if n, err := f.ReadAt(buf, at); n < len(buf) {
			return fmt.Errorf("at byte %d: %w", at+int64(n), err)
		}
		if _, err := w.Write(buf); err != nil {
			return err
		}
		if cold {
			_ = unix.Fadvise(int(f.Fd()), at, int64(len(buf)), unix.FADV_DONTNEED) // it is advice
		}
	}
	return nil
}

// verdict decides about the image, after all of it was read and before the helper gets the
// disk: what is refused here is never looked at by anything.
func (i *imaging) verdict() error {
	p, err := i.proof.Conclude()
	i.record.proved(p)
	i.warnOf(p)
	if err != nil {
		return i.unproved(err)
	}
	if why := insecure(i.found.Name, p); why != "" {
		i.warn(why)
	}
	if p.Kind != "" {
		i.Log.Info("the image is proved by " + proven(p))
	}
	return nil
}

// warnOf warns of what kept proofs from counting.
func (i *imaging) warnOf(p trust.Proof) {
	for _, w := range p.Warnings {
		i.warn(report.Printable(w))
	}
}

// proven says what proves an image, for people.
func proven(p trust.Proof) string {
	p.Sums, p.Signature = fetch.Mask(p.Sums), fetch.Mask(p.Signature)
	signed := fmt.Sprintf("%s, a signature by %s %s", p.Signature, p.Signer.Key, p.Signer.Name)
	if !p.Signer.Date.IsZero() {
		signed += " of " + p.Signer.Date.Format(time.DateOnly)
	}
	text := "nothing"
	switch p.Kind {
	case trust.GivenDigest:
		text = "the " + p.Algorithm + " digest of " + p.By
	case trust.UnsignedSums:
		text = p.Sums + ", which nobody signed"
	case trust.SignedSums:
		text = p.Sums + " with " + signed
	case trust.SignedImage:
		text = signed
	}
	return report.Printable(text)
}

// describeProof prints what is demanded and what there is.
func (i *imaging) describeProof(out io.Writer) {
	what := "to be looked for"
	if i.proof != nil {
		what = proven(i.proof.Proof())
		if p := i.proof.Proof(); p.Kind == "" && i.proof.Needed() {
			what = "a signature over the image, to be verified"
		}
	}
	fmt.Fprintf(out, "proof     %s (%s demanded by %s)\n", what, i.Claim.Demand, i.Claim.By)
}
