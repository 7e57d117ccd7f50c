package parameters

import (
	"slices"

	"snf-image/internal/host/catalogue"
	"snf-image/internal/host/collection"
	"snf-image/internal/host/keyring"
	"snf-image/internal/host/trust"
)

// Chosen is the image of the catalogue that img_id stands for.
type Chosen struct {
	Entry *catalogue.Entry
	Held  *collection.Held // nil where it is not pinned on this node
}

// Claim adds what is known about the proof of the image to what the administrator demands of
// every image. The pin is enough, for whoever requires a proof if it was made by one. Without
// a pin it is the vendor's proof that counts; then the warning, where there is one, says why
// that is less than it could be.
func (c *Chosen) Claim(of trust.Claim, keys keyring.Keys, mirror string) (trust.Claim, string) {
	of.Digests = slices.Clone(of.Digests)
	if c.Held != nil {
		of.Digests = append(of.Digests, c.Held.Given(c.Entry, of.Demand))
		return of, ""
	}
	known, warning := collection.Claim(c.Entry, keys, collection.Demand{Demand: of.Demand, By: of.By}, mirror)
	if len(of.Keys) == 0 {
		of.Keys = known.Keys
	}
	of.Digests = append(of.Digests, known.Digests...)
	of.Sums, of.Signature, of.SignedName = known.Sums, known.Signature, known.SignedName
	of.Demand, of.By = known.Demand, known.By
	return of, warning
}
