package collection

import (
	"fmt"
	"strings"

	"snf-image/internal/host/catalogue"
	"snf-image/internal/host/keyring"
	"snf-image/internal/host/trust"
)

// Demand is what VERIFY_IMAGES, or a flag, demands, and who does.
type Demand struct {
	trust.Demand
	By string
}

// Claim is what an entry says about the proof of its image. Where the keyring has one of the
// keys that are bound to it, a signature by one of them is demanded, unless nothing is.
// Without any of them the signature tells nothing; then the warning says which key it takes.
func Claim(e *catalogue.Entry, keys keyring.Keys, demand Demand, mirror string) (trust.Claim, string) {
	c := trust.Claim{Sums: mirrored(mirror, e.Sums), SignedName: e.SignedName, Demand: demand.Demand, By: demand.By}
	if e.Digest.Algorithm != "" {
		c.Digests = append(c.Digests, e.Digest)
	}
	switch {
	case len(e.Keys) == 0:
		return c, ""
	case len(keys.Bound(e.Keys).All()) == 0:
		return c, fmt.Sprintf("%s is unverified until the key is supplied: none of %s is in the keyring%s", e.Name, strings.Join(e.Keys, ", "), published(e))
	}
	c.Keys = e.Keys
	if demand.Demand != trust.None {
		c.Demand, c.By = trust.Required, "the catalogue, "+e.File
	}
	c.Signature = mirrored(mirror, e.Signature)
	if e.ImageSignature != "" { // which vouches for more than a checksum beside it
		c.Sums, c.Signature = "", mirrored(mirror, e.ImageSignature)
	}
	return c, ""
}

// published says where the key is.
func published(e *catalogue.Entry) string {
	if e.KeyURL == "" {
		return ""
	}
	return "; its vendor publishes it at " + e.KeyURL
}

// mirrored returns a name of a file beside an image; of an address, that on the mirror.
func mirrored(mirror, name string) string {
	if !strings.Contains(name, "://") {
		return name
	}
	return catalogue.Mirror(mirror, name)
}
