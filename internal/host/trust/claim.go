package trust

import (
	"context"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"snf-image/internal/host/keyring"
	"snf-image/internal/host/sums"
)

// MaxProof is the largest file beside an image that is read, in bytes.
const MaxProof = max(sums.MaxFile, keyring.MaxFile)

// Demand is how much an image has to be proved (VERIFY_IMAGES). A proof that is wrong is
// an error whatever is demanded.
type Demand string

// The demands.
const (
	// None means that nothing is looked for. Digests that somebody gave are checked.
	None Demand = "none"
	// IfPresent forgives a missing proof.
	IfPresent Demand = "if-present"
	// Required demands a digest by the administrator, or a signature by a key that is bound
	// to the image. A digest that is in doubt does not satisfy it, and neither
	// does a checksum that nobody signed or a key that nobody bound.
	Required Demand = "required"
)

// ParseDemand reads the value of VERIFY_IMAGES.
func ParseDemand(text string) (Demand, error) {
	switch d := Demand(text); d {
	case None, IfPresent, Required:
		return d, nil
	case "":
		return IfPresent, nil
	}
	return "", errors.New("expected none, if-present or required")
}

// Digest is a digest of the stored bytes of an image, given by somebody. It is always
// checked.
type Digest struct {
	Algorithm string // sha256 or sha512
	Hex       string
	By        string // who gave it, for people: "IMG_DIGEST", "--image", "catalogue entry debian-13"
	// Doubt is why it does not satisfy Required, as a sentence; empty when it does.
	Doubt string
}

// ByTenant is the Doubt about a digest that came with an instance's parameters.
const ByTenant = "its digest came with the parameters of the instance, whose owner cannot vouch for it"

// ParseDigest reads sha256:HEX or sha512:HEX; an empty text is one of no algorithm.
func ParseDigest(text string) (Digest, error) {
	name, value, _ := strings.Cut(text, ":")
	d := Digest{Algorithm: strings.ToLower(name), Hex: strings.ToLower(value)}
	raw, err := hex.DecodeString(d.Hex)
	size := map[string]int{"sha256": sha256.Size, "sha512": sha512.Size}[d.Algorithm]
	if text != "" && (err != nil || size == 0 || len(raw) != size) {
		return Digest{}, errors.New("expected sha256: and 64 hexadecimal digits, or sha512: and 128")
	}
	return d, nil
}

// Claim is what is known about the proof of an image and what is demanded of it, before
// anything was looked at. Whoever names an image fills it in: a catalogue entry names the
// files of the vendor and binds keys, IMG_DIGEST and the command line give digests,
// VERIFY_IMAGES or a flag is the demand. The zero value with a Demand is right for an image
// nothing is known of.
//
// There is one way from a claim to a Proof, for image verify, image pull and deploy:
//
//	check, err := trust.Find(ctx, keys, claim, place) // before the image is read
//	defer check.Close()
//	io.Copy(io.MultiWriter(file, check), image)       // all stored bytes, in order
//	proof, err := check.Conclude()                    // the verdict
//
// or check.Read(image), which is the last two lines; File does all of it for a file. An
// error about a proof is an *Error, and Remedy says what helps.
type Claim struct {
	Digests []Digest
	// Sums and Signature name the vendor's files where they are known, as a name beside the
	// image or as a URL; % stands for the name of the image. Then they must be there, if
	// anything is demanded. A Signature without Sums is one over the image. Without both,
	// every layout of the vendors is tried.
	Sums, Signature string
	// SignedName is a pattern (path.Match) of what signed checksums of a server may call the
	// image, where that is neither the name that was asked for nor that of a build of it.
	SignedName string
	// Keys are the fingerprints of the keys bound to the image: one of them must have made
	// any signature that is there. Without them any key of the keyring tells who signed, and
	// satisfies nothing.
	Keys []string
	// Demand counts as IfPresent when it is empty; By is who demanded it, for people.
	Demand Demand
	By     string
}

// Place is where an image is, and how what lies beside it is read.
type Place struct {
	// Names are the names of the image's file: the one asked for first, then what a redirect
	// or a link ended at, which may be another.
	Names []string
	// Read returns a file by a name relative to the image, or by a URL where the claim has
	// one: at most MaxProof bytes and one more. The error is fs.ErrNotExist where there is
	// none. It may be called by several goroutines at once.
	Read func(ctx context.Context, name string) ([]byte, error)
	// Remote means that each Read is a request to a server, or that somebody else packed what
	// it returns: only the names that vendors really use are tried then, and a signature has
	// to be about the image that was asked for. Single means one at a time.
	Remote, Single bool
}

// Kind is what proves an image.
type Kind string

// The kinds of proof, from the strongest to the weakest.
const (
	SignedImage  Kind = "signature"        // a signature over the image
	SignedSums   Kind = "signed checksums" // a checksum in a file that somebody signed
	GivenDigest  Kind = "digest"           // a digest that somebody gave
	UnsignedSums Kind = "checksums"        // a checksum that nobody signed
)

// Proof is what was proved about an image. It holds when the error beside it is nil; with an
// error it says how far the verification got.
type Proof struct {
	Kind Kind // empty when there is none
	// Algorithm and Digest are of the stored bytes, as they were read.
	Algorithm, Digest string
	// Sums and Signature are the files or URLs beside the image that were used.
	Sums, Signature string
	// Signer made the signature; without a key when nobody did, or nobody we know.
	Signer keyring.Signer
	// By is who gave the digest, where one was given.
	By string
	// Bound means that the signer's key is bound to the image.
	Bound bool
	// Demand and DemandedBy are those of the claim.
	Demand     Demand
	DemandedBy string
	// Warnings are what kept a proof from counting.
	Warnings []string
}

// Error is a proof that is there and wrong, or one that is demanded and cannot be had.
type Error struct {
	File string // or URL, or who gave a digest; empty when there is no proof at all
	Err  error
}

func (e *Error) Error() string {
	if e.File == "" {
		return e.Err.Error()
	}
	return fmt.Sprintf("%s: %v", shown(e.File), e.Err)
}

// shown is a file beside an image for people: without the password of a mirror.
func shown(file string) string {
	if u, err := url.Parse(file); err == nil && u.User != nil {
		u.User = nil
		return u.String()
	}
	return file
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }
