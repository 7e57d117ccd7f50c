package trust

import (
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"slices"
	"sync"

	"snf-image/internal/host/keyring"
	"snf-image/internal/host/sums"
)

// Errors of verdicts.
var (
	ErrNoProof  = errors.New("no checksum and no signature of it lies beside it")
	ErrMismatch = errors.New("its digest is not the one that was published")
	// ErrGiven is the mismatch with a digest that somebody gave.
	ErrGiven = errors.New("its digest is not the one that was given")
	// ErrDemand means that nothing proves the image as it is demanded.
	ErrDemand = errors.New("it is not proved as it is demanded")
)

// Check takes the stored bytes of an image, in order, and decides about them at the end.
type Check struct {
	f      *finder
	hashes map[string]hash.Hash
	whole  bool           // all bytes have come
	mu     sync.Mutex     // protects over: a check may be closed while bytes still come
	over   *io.PipeWriter // to the verification of a signature over the image
	closed bool
	done   chan verified
}

// verified is what a signature over the image turned out to be.
type verified struct {
	signer keyring.Signer
	err    error
}

func newCheck(f *finder) *Check {
	c := &Check{f: f, hashes: map[string]hash.Hash{}}
	for _, d := range f.Digests {
		c.add(d.Algorithm)
	}
	for _, s := range f.sums {
		c.add(s.Algorithm)
	}
	if f.over != nil && len(c.hashes) == 0 {
		c.add("sha256") // for the record
	}
	return c
}

func (c *Check) add(algorithm string) {
	switch algorithm {
	case "sha256":
		c.hashes[algorithm] = sha256.New()
	case "sha512":
		c.hashes[algorithm] = sha512.New()
	}
}

// Needed reports whether there is anything to check the bytes of the image with. Else they
// need not be written.
func (c *Check) Needed() bool { return len(c.hashes) > 0 }

// Write takes the next stored bytes of the image. It never fails.
func (c *Check) Write(p []byte) (int, error) {
	for _, h := range c.hashes {
		h.Write(p) //nolint:errcheck // a hash.Hash has no errors
	}
	if over := c.begin(); over != nil {
		_, _ = over.Write(p) // the verdict about the signature may be there before the end
	}
	return len(p), nil
}

// begin returns the way to the verification of the signature over the image, and begins it;
// nil when there is none.
func (c *Check) begin() *io.PipeWriter {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.over != nil || c.closed || c.f.over == nil {
		return c.over
	}
	r, w := io.Pipe()
	c.over, c.done = w, make(chan verified, 1)
	go func() {
		s, err := keyring.Verify(c.f.keys, r, c.f.over)
		_ = r.Close() // what follows does not matter
		c.done <- verified{s, err}
	}()
	return w
}

// Close ends a check that was not concluded.
func (c *Check) Close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	if c.over != nil {
		_ = c.over.CloseWithError(io.ErrUnexpectedEOF)
	}
}

// Read reads an image to its end and returns the verdict.
func (c *Check) Read(r io.Reader) (Proof, error) {
	if _, err := io.CopyBuffer(struct{ io.Writer }{c}, struct{ io.Reader }{r}, make([]byte, 1<<20)); err != nil {
		return c.Proof(), fmt.Errorf("reading the image: %w", err)
	}
	return c.Conclude()
}

// Conclude returns the verdict about the image, all of whose bytes were written. The error
// is an *Error when a proof is wrong, or is demanded and not there.
func (c *Check) Conclude() (Proof, error) {
	c.whole = true
	p := c.Proof()
	for _, d := range c.f.Digests {
		if err := c.compare(sums.Sum{Algorithm: d.Algorithm, Hex: d.Hex}, d.By, ErrGiven); err != nil {
			return p, err
		}
	}
	for _, s := range c.f.sums {
		if err := c.compare(s.Sum, s.file, ErrMismatch); err != nil {
			return p, err
		}
	}
	if c.f.over != nil {
		if err := c.concludeOver(&p); err != nil {
			return p, err
		}
	}
	return p, c.f.demanded(&p)
}

func (c *Check) compare(want sums.Sum, from string, wrong error) error {
	h := c.hashes[want.Algorithm]
	if h == nil {
		return &Error{from, sums.ErrWeak}
	}
	if got := hex.EncodeToString(h.Sum(nil)); got != want.Hex {
		return &Error{from, fmt.Errorf("%w: %s is %s, not %s", wrong, want.Algorithm, got, want.Hex)}
	}
	return nil
}

// concludeOver adds the verdict about the signature over the image.
func (c *Check) concludeOver(p *Proof) error {
	_ = c.begin().Close()
	v := <-c.done
	s, err := c.f.judge(c.f.overFile, v.signer, v.err)
	p.Warnings = c.f.warnings
	if err != nil || s.Key == "" {
		return err
	}
	p.Signer, p.Signature, p.Bound = s, c.f.overFile, len(c.f.Keys) > 0
	if p.Bound || !satisfied(c.f.Digests) {
		p.Kind = SignedImage
	}
	return nil
}

// Proof returns what proves the image, as far as that is known without its bytes, and their
// digest once all have come.
func (c *Check) Proof() Proof {
	p := Proof{Demand: c.f.Demand, DemandedBy: c.f.By, Warnings: c.f.warnings}
	for _, d := range c.f.Digests {
		if p.Kind == "" || d.Doubt == "" {
			p.Kind, p.By, p.Algorithm = GivenDigest, d.By, d.Algorithm
		}
	}
	for _, s := range c.f.sums {
		if p.Sums == "" || s.signer.Key != "" {
			c.fromSums(&p, s)
		}
	}
	if p.Algorithm == "" && len(c.hashes) > 0 {
		p.Algorithm = "sha256"
	}
	if c.whole && p.Algorithm != "" {
		p.Digest = hex.EncodeToString(c.hashes[p.Algorithm].Sum(nil))
	}
	return p
}

// fromSums takes a file of checksums for the proof, unless a digest that was given is more.
func (c *Check) fromSums(p *Proof, s foundSum) {
	signed := s.signer.Key != ""
	p.Sums, p.Signature, p.Signer = s.file, s.signature, s.signer
	p.Bound = signed && len(c.f.Keys) > 0
	switch {
	case signed && (p.Bound || !satisfied(c.f.Digests)):
		p.Kind, p.Algorithm = SignedSums, s.Algorithm
	case p.Kind != GivenDigest:
		p.Kind, p.Algorithm = UnsignedSums, s.Algorithm
	}
}

// satisfied reports whether a digest was given that satisfies Required.
func satisfied(given []Digest) bool {
	return slices.ContainsFunc(given, func(d Digest) bool { return d.Doubt == "" })
}

// early refuses what cannot satisfy the demand, whatever the bytes of the image are.
func (c *Check) early() error {
	if c.f.over != nil && len(c.f.Keys) > 0 { // whose key it is will be known at the end
		return nil
	}
	p := c.Proof()
	return c.f.demanded(&p)
}

// Hopeless returns why nothing that may lie beside the image can satisfy the claim, nil when
// something can. Nothing is looked for.
func (c Claim) Hopeless() error {
	if c.Demand != Required || satisfied(c.Digests) || len(c.Keys) > 0 {
		return nil
	}
	doubt := "no digest is given"
	if len(c.Digests) > 0 {
		doubt = c.Digests[0].Doubt
	}
	return &Error{"", fmt.Errorf("%w: %s, and no key is bound to it", ErrDemand, doubt)}
}

// demanded refuses a proof that is less than what is demanded.
func (f *finder) demanded(p *Proof) error {
	if f.Demand != Required || p.Bound || satisfied(f.Digests) {
		return nil
	}
	only := ErrNoProof.Error()
	switch p.Kind {
	case GivenDigest:
		only = f.Digests[0].Doubt
	case UnsignedSums:
		only = "nobody signed " + shown(p.Sums)
	case SignedSums, SignedImage:
		only = fmt.Sprintf("%s is by key %s, which is not bound to this image", shown(p.Signature), p.Signer.Key)
	}
	return &Error{"", fmt.Errorf("%w: %s", ErrDemand, only)}
}

// Expected returns the digest that the file of checksums which counts most says the image
// has; of no algorithm when there is none.
func (c *Check) Expected() sums.Sum {
	var best sums.Sum
	for _, s := range c.f.sums {
		if best.Algorithm == "" || s.signer.Key != "" {
			best = s.Sum
		}
	}
	return best
}
