package collection

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"regexp"
	"slices"
	"time"

	"snf-image/internal/host/catalogue"
	"snf-image/internal/host/shellfile"
	"snf-image/internal/host/trust"
)

// Pin says what an image was when it was verified.
type Pin struct {
	Name string `json:"name"` // of the entry
	// URL is where the vendor has this very image, as far as that is known; Asked is the
	// address that was asked for, where that is another.
	URL    string `json:"url"`
	Asked  string `json:"asked,omitempty"`
	File   string `json:"file"`
	Size   int64  `json:"size"`
	Digest string `json:"digest"` // sha256:HEX or sha512:HEX
	// Pulled is when it was verified, Signed when it was signed.
	Pulled time.Time `json:"pulled"`
	Signed time.Time `json:"signed,omitzero"`
	// Proof is what kind of proof there was, Key and Owner who signed, By who gave a digest,
	// Files what lies beside the image.
	Proof trust.Kind `json:"proof,omitempty"`
	Key   string     `json:"key,omitempty"`
	Owner string     `json:"owner,omitempty"`
	By    string     `json:"by,omitempty"`
	Files []string   `json:"files,omitempty"`

	sums, signature string // what proved it, as it is named in the claim
}

// ErrPin means that a file is not a pin.
var ErrPin = errors.New("it is not a pin of an image")

// goodFile is the name of a file of a vendor.
var goodFile = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._+~-]{0,199}$`)

// maxProofs bounds the files that prove one image.
const maxProofs = 8

// ParsePin reads a pin.
func ParsePin(data []byte) (Pin, error) {
	var p Pin
	if len(data) > shellfile.MaxFile {
		return Pin{}, fmt.Errorf("%w: it has more than 1 MiB", ErrPin)
	}
	if err := json.Unmarshal(data, &p); err != nil {
		return Pin{}, ErrPin
	}
	if !isAddress(p.URL) || p.Asked != "" && !isAddress(p.Asked) {
		return Pin{}, fmt.Errorf("%w: its URL is none", ErrPin)
	}
	if d, err := trust.ParseDigest(p.Digest); err != nil || d.Algorithm == "" {
		return Pin{}, fmt.Errorf("%w: it has no digest", ErrPin)
	}
	if !goodFile.MatchString(p.File) || p.Size < 0 || len(p.Files) > maxProofs {
		return Pin{}, ErrPin
	}
	for _, f := range p.Files {
		if !goodFile.MatchString(f) || f == p.File || f == pinName(p.Name) {
			return Pin{}, ErrPin
		}
	}
	return p, nil
}

// isAddress reports whether s is a URL that may be kept and shown: it has no secrets, and
// nothing that a terminal obeys.
func isAddress(s string) bool {
	u, err := url.Parse(s)
	return err == nil && u.Host != "" && catalogue.Plain(s) == s
}

// sum returns the digest, which by gives.
func (p *Pin) sum(by string) trust.Digest {
	d, _ := trust.ParseDigest(p.Digest) // which was checked
	d.By = by
	return d
}

// Doubt says why the pin does not satisfy a demand for proof, which is empty where it does: it
// has to be made by a digest that somebody gave, or a signature by a key that the entry binds.
func (p *Pin) Doubt(e *catalogue.Entry) string {
	switch p.Proof {
	case trust.GivenDigest:
		return ""
	case trust.SignedImage, trust.SignedSums:
		if slices.Contains(e.Keys, p.Key) {
			return ""
		}
		return fmt.Sprintf("it was pinned when key %.64s had signed it, to which its entry is not bound", p.Key)
	case trust.UnsignedSums:
		return "it was pinned by checksums that nobody signed"
	}
	return "it was pinned when nothing proved it"
}

func pinName(name string) string { return name + ".pin" }

// write writes the pin to a new file.
func (p *Pin) write(path string) error {
	data, err := json.MarshalIndent(p, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(data, '\n'), 0o644)
}
