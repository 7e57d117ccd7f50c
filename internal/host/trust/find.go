package trust

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path"
	"strings"

	"snf-image/internal/host/keyring"
	"snf-image/internal/host/sums"
)

// ErrMissing means that a proof is not there which somebody named.
var ErrMissing = errors.New("it is named as the proof of the image and is not there")

// ErrUnbound means that a good key signed what it is not meant for.
var ErrUnbound = errors.New("it is signed by a key for other images")

// Find reads what lies beside an image and verifies it as far as that goes without the
// image's bytes, which the Check takes. The error is an *Error when a proof is wrong, or
// when it is known already that what is demanded cannot be had. The Check is there with an
// error, too, and its Proof says how far the verification got.
func Find(ctx context.Context, keys keyring.Keys, claim Claim, place Place) (*Check, error) {
	if claim.Demand == "" {
		claim.Demand = IfPresent
	}
	f := finder{Claim: claim, Place: place, ring: keys, keys: keys, asked: map[string]answer{}}
	if len(claim.Keys) > 0 {
		f.keys = keys.Bound(claim.Keys)
	}
	err := f.lackKeys()
	if err == nil {
		err = f.search(ctx)
	}
	c := newCheck(&f)
	if err == nil {
		err = c.early()
	}
	return c, err
}

// ErrNoBoundKey means that no signature could count.
var ErrNoBoundKey = errors.New("the keyring has none of the keys that are bound to it")

// lackKeys refuses bound keys of which the keyring has none: that is a slip, or a key that
// somebody took away.
func (f *finder) lackKeys() error {
	if len(f.Keys) == 0 || f.Demand == None || len(f.keys.All()) > 0 {
		return nil
	}
	return &Error{"", fmt.Errorf("%w: %s", ErrNoBoundKey, strings.Join(f.Keys, ", "))}
}

// finder looks for the proofs of one image.
type finder struct {
	Claim
	Place
	ring, keys keyring.Keys
	asked      map[string]answer // what lies beside the image, as far as it was asked for
	sums       []foundSum
	over       []byte // a detached signature over the image itself
	overFile   string
	warnings   []string
}

// foundSum is a digest that a file beside the image says it has.
type foundSum struct {
	sums.Sum
	file      string
	signer    keyring.Signer // without a key when nobody signed it, or nobody we know
	signature string         // the file
}

// answer is what Place.Read said.
type answer struct {
	data []byte
	err  error
}

// search looks for everything that lies beside the image. The digest of an administrator is
// enough where nothing else is named.
func (f *finder) search(ctx context.Context) error {
	named := f.Claim.Sums != "" || f.Signature != "" || len(f.Keys) > 0
	if f.Demand == None || !named && satisfied(f.Digests) {
		return nil
	}
	if err := f.lookForSums(ctx); err != nil {
		return err
	}
	if f.signed() {
		return nil
	}
	return f.lookOver(ctx)
}

// signed reports whether a file of checksums is signed by somebody we know.
func (f *finder) signed() bool {
	for _, s := range f.sums {
		if s.signer.Key != "" {
			return true
		}
	}
	return false
}

// lookForSums looks for files of checksums that name the image: for the first one, or, where
// a signature is wanted, for the first that is signed.
func (f *finder) lookForSums(ctx context.Context) error {
	var rows []layout
	var names []string
	for _, l := range f.layouts() {
		for _, name := range f.expand(l.sums) {
			rows, names = append(rows, l), append(names, name)
		}
	}
	for i, l := range rows {
		data, err := f.get(ctx, names, i)
		if err != nil {
			return err
		}
		if data == nil {
			continue
		}
		found, err := f.useSums(ctx, l, names[i], data)
		if err != nil {
			return err
		}
		if found && (f.signed() || len(f.Keys) == 0 && f.Demand != Required) {
			return nil
		}
	}
	if f.Claim.Sums != "" && len(f.sums) == 0 {
		return &Error{names[0], ErrMissing}
	}
	return nil
}

// layouts returns the rows to try: all, or the one that is known.
func (f *finder) layouts() []layout {
	switch {
	case f.Claim.Sums != "":
		l := layout{sums: f.Claim.Sums, signatures: sigs(f.Claim.Sums), alone: strings.Contains(f.Claim.Sums, "%")}
		if f.Signature != "" {
			l.signatures = []string{f.Signature}
		}
		return []layout{l}
	case f.Signature != "": // a signature over the image alone
		return nil
	}
	var rows []layout
	for _, l := range layouts {
		if !f.Remote || l.vendors != "" {
			rows = append(rows, l)
		}
	}
	return rows
}

// useSums reads one file of checksums. It is not of use, without an error, when it says
// nothing of the image.
func (f *finder) useSums(ctx context.Context, l layout, name string, data []byte) (bool, error) {
	s := foundSum{file: name}
	signed := data
	var err error
	if keyring.IsClearsigned(data) {
		signed, s.signer, err = keyring.Clearsigned(f.keys, data)
		if s.signer, err = f.judge(name, s.signer, err); err != nil {
			return false, err
		}
		s.signature = name
	}
	all, err := sums.Parse(signed)
	if (errors.Is(err, sums.ErrNoSums) || errors.Is(err, sums.ErrTooBig)) && f.Claim.Sums == "" { // a page that says "not found", perhaps
		return false, nil
	}
	if err != nil {
		return false, &Error{name, err}
	}
	var other error
	s.Sum, other = f.choose(all, l.alone)
	if errors.Is(other, sums.ErrNoEntry) && f.Claim.Sums == "" {
		return false, nil
	}
	if other != nil && !errors.Is(other, ErrOther) {
		return false, &Error{name, other}
	}
	if s.signature == "" {
		if s.signer, s.signature, err = f.detached(ctx, l, data); err != nil {
			return false, err
		}
	}
	if other != nil && s.signer.Key != "" { // without a signature it proves nothing anyway
		return false, &Error{name, other}
	}
	f.sums = append(f.sums, s)
	return true, nil
}

// detached looks for a detached signature over a file of checksums.
func (f *finder) detached(ctx context.Context, l layout, signed []byte) (keyring.Signer, string, error) {
	name, data, err := f.signature(ctx, l.signatures)
	if err != nil || data == nil {
		return keyring.Signer{}, "", err
	}
	s, err := keyring.Verify(f.keys, bytes.NewReader(signed), data)
	s, err = f.judge(name, s, err)
	return s, name, err
}

// lookOver looks for a signature over the image itself.
func (f *finder) lookOver(ctx context.Context) (err error) {
	patterns := onImage
	switch {
	case f.Signature != "" && f.Claim.Sums == "":
		patterns = []string{f.Signature}
	case f.Claim.Sums != "":
		return nil
	}
	f.overFile, f.over, err = f.signature(ctx, patterns)
	return err
}

// judge decides about a signature that was checked with the keys that count. One by an
// unknown key does not count and is a warning, where no key is bound to the image.
func (f *finder) judge(file string, s keyring.Signer, err error) (keyring.Signer, error) {
	switch {
	case err == nil:
		return s, nil
	case errors.Is(err, keyring.ErrUnknownKey) && len(f.Keys) == 0:
		f.warnings = append(f.warnings, fmt.Sprintf("%s: signed by key %s, which is not in the keyring: the signature proves nothing", path.Base(file), s.Key))
		return keyring.Signer{}, nil
	case errors.Is(err, keyring.ErrUnknownKey) && f.ring.Has(s.Key):
		return s, &Error{file, fmt.Errorf("%w: %s is in the keyring, but not bound to this image", ErrUnbound, s.Key)}
	}
	return s, &Error{file, fmt.Errorf("%w: key %s", err, s.Key)}
}
