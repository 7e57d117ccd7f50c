package collection

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path"
	"strings"
	"sync"
	"time"

	"snf-image/internal/host/catalogue"
	"snf-image/internal/host/fetch"
	"snf-image/internal/host/keyring"
	"snf-image/internal/host/source"
	"snf-image/internal/host/sums"
	"snf-image/internal/host/trust"
	"snf-image/internal/report"
)

// Order is what is to be done about one image.
type Order struct {
	Entry  *catalogue.Entry
	Keys   keyring.Keys
	Demand Demand
	// Digest is one that the command line gives; the zero value is none.
	Digest trust.Digest
	// AllowOlder takes an image that was signed before the pinned one, or is not signed.
	AllowOlder bool
	// Update asks the vendor for a newer image than the one that is here.
	Update bool
	Mirror string
	Client *fetch.Client
	// Note takes what happens on the way, Progress how many bytes have come; both may be
	// called by other goroutines.
	Note     func(string)
	Progress func(done, total int64)
}

// Outcome is what came of an order.
type Outcome struct {
	Pin
	// Old is what was pinned before; nil when nothing was.
	Old     *Pin     `json:"old,omitempty"`
	Changed bool     `json:"changed"` // something was stored
	Warning []string `json:"warnings,omitempty"`
}

// Errors of images that are not taken.
var (
	ErrOlder = errors.New("it was signed before the image that is pinned here")
	// errMoved means that the vendor has another image under the name of the pinned one.
	errMoved = errors.New("the vendor has another image under that name than the pinned one")
	// ErrPinned means that a digest is not that of the pinned image.
	ErrPinned   = errors.New("the image that is pinned here has another digest than the one that is given")
	ErrUnsigned = errors.New("nobody signed it, and the image that is pinned here is signed")
)

// Pull fetches, verifies and pins an image. One that is here already stays, unless an update
// is asked for, or a digest is given that proves it; without an update it has to be the pinned one.
func (c Collection) Pull(ctx context.Context, o Order) (*Outcome, error) {
	if old, err := c.present(o.Entry.Name); err != nil || o.settled(old) {
		return o.outcome(old), err
	}
	ch, err := c.begin(o.Entry.Name)
	if err != nil {
		return nil, o.failure(c.dir, err)
	}
	defer ch.end()
	old, err := c.present(o.Entry.Name) // again: until now somebody else could change it
	if err != nil || o.settled(old) {
		return o.outcome(old), err
	}
	t := &taking{Order: o, change: ch, old: old, from: catalogue.Mirror(o.Mirror, o.Entry.URL)}
	t.prepare()
	if old != nil && !o.Update {
		if err := t.pinned(); err != nil {
			return nil, o.failure(old.Dir, err)
		}
	}
	out, err := t.download(ctx)
	if errors.Is(err, errMoved) && old.URL != o.Entry.URL {
		t.from, t.claim = catalogue.Mirror(o.Mirror, old.URL), trust.Claim{Digests: t.claim.Digests, Demand: o.Demand.Demand, By: o.Demand.By}
		out, err = t.download(ctx)
	}
	return out, o.failure(fetch.Mask(t.from), err)
}

// settled reports whether the image that is here is what is asked for, as far as the pin
// tells. A digest that is given for it proves it anew, where the pin does not satisfy a demand.
func (o *Order) settled(old *Held) bool {
	return old.is() && !o.Update && (o.Digest.Algorithm == "" || o.Digest.Hex == old.sum("").Hex && old.Doubt(o.Entry) == "")
}

// outcome is that of an order about an image that is here and stays.
func (o *Order) outcome(h *Held) *Outcome {
	if h == nil {
		return nil
	}
	out := &Outcome{Pin: h.Pin}
	if doubt := h.Doubt(o.Entry); doubt != "" && o.Demand.Demand == trust.Required {
		out.Warning = []string{fmt.Sprintf("%s: %s, and %s requires a proof; %s", h.Name, doubt, o.Demand.By, o.proveAnew())}
	}
	return out
}

// proveAnew says how an image is proved of which the pin is in doubt.
func (o *Order) proveAnew() string {
	switch name := o.Entry.Name; {
	case len(o.Keys.Bound(o.Entry.Keys).All()) > 0:
		return "snf-image image pull --update " + name
	case len(o.Entry.Keys) > 0:
		return "add its vendor's key (snf-image key add), then snf-image image pull --update " + name
	default:
		return "compare its digest with what its vendor says elsewhere, and give it: snf-image image pull --digest sha256:HEX " + name
	}
}

// pinned demands the image that is pinned: an update is not asked for.
func (t *taking) pinned() error {
	t.only = t.old.Given(t.Entry, t.Demand.Demand)
	if t.Digest.Algorithm == t.only.Algorithm && t.Digest.Hex != t.only.Hex {
		return ErrPinned
	}
	t.claim.Digests = append([]trust.Digest{t.only}, t.claim.Digests...)
	return nil
}

// taking is an image while it is verified and stored.
type taking struct {
	Order
	change *change
	old    *Held
	from   string       // where it comes from
	only   trust.Digest // the one that is pinned, where no other will do
	claim  trust.Claim
	out    Outcome

	mu   sync.Mutex
	read map[string][]byte // what lies beside it, by name
}

// prepare makes the claim.
func (t *taking) prepare() {
	var warning string
	t.claim, warning = Claim(t.Entry, t.Keys, t.Demand, t.Mirror)
	if warning != "" {
		t.out.Warning = append(t.out.Warning, warning)
	}
	if t.Digest.Algorithm != "" {
		t.claim.Digests = append(t.claim.Digests, t.Digest)
	}
	if t.Entry.Ended(time.Now()) {
		t.out.Warning = append(t.out.Warning, fmt.Sprintf("%s: its vendor's support ended on %s", t.Entry.Name, t.Entry.EndOfLife.Format(time.DateOnly)))
	}
	t.read = map[string][]byte{}
}

// download takes an image from its URL.
func (t *taking) download(ctx context.Context) (*Outcome, error) {
	image, err := t.Client.Download(ctx, t.from, t.Note)
	if err != nil {
		return nil, err
	}
	defer image.Close() //nolint:errcheck // all of it was read, or it failed
	place, err := source.BesideURL(t.Client, t.from, image.At)
	if err != nil {
		return nil, err
	}
	unchanged, err := t.take(ctx, t.remember(place), image, image.Length)
	if err != nil {
		return nil, err
	}
	if unchanged {
		return &Outcome{Pin: t.old.Pin, Old: &t.old.Pin, Warning: t.out.Warning}, nil
	}
	if scheme, _, _ := strings.Cut(t.from, "://"); t.out.Proof == trust.UnsignedSums && !strings.HasSuffix(scheme, "s") {
		t.out.Warning = append(t.out.Warning, t.Entry.Name+": it came by "+scheme+", and so did its checksums, which nobody signed: whoever is on the way can change both")
	}
	if t.out.URL, t.out.Asked = t.resolved(image.At), catalogue.Plain(t.from); t.out.Proof == trust.GivenDigest && t.asPinned() {
		t.inherit()
	}
	if t.out.Asked == t.out.URL {
		t.out.Asked = ""
	}
	return t.store()
}

// asPinned reports whether what the pin says proves more of the image, which is the pinned one,
// than the digest did.
func (t *taking) asPinned() bool {
	return t.only.Hex != "" && (t.out.By == t.only.By || t.old.Doubt(t.Entry) == "")
}

// inherit takes over what the pin says: it is the same image.
func (t *taking) inherit() {
	p, old := &t.out.Pin, t.old.Pin
	p.URL, p.Proof, p.Key, p.Owner, p.By, p.Signed = old.URL, old.Proof, old.Key, old.Owner, old.By, old.Signed
}

// remember keeps what is read beside the image.
func (t *taking) remember(p trust.Place) trust.Place {
	read := p.Read
	p.Read = func(ctx context.Context, name string) ([]byte, error) {
		data, err := read(ctx, name)
		if err == nil {
			t.mu.Lock()
			t.read[name] = data
			t.mu.Unlock()
		}
		return data, err
	}
	return p
}

// resolved returns the address of this very image, where the vendor's own files tell it: a
// name like "latest" stands for another image soon.
func (t *taking) resolved(at string) string {
	if sums, err := sums.Parse(t.read[t.out.sums]); err == nil {
		want := t.out.sum("")
		for _, s := range sums {
			name := path.Base(s.Name)
			if s.Algorithm == want.Algorithm && s.Hex == want.Hex && name != t.Entry.Image() && goodFile.MatchString(name) {
				return catalogue.Beside(t.Entry.URL, name)
			}
		}
	}
	asked, err := url.Parse(t.Entry.URL)
	if end, bad := url.Parse(at); t.Mirror == "" && err == nil && bad == nil && end.Host == asked.Host && catalogue.Plain(at) == at {
		return at
	}
	return t.Entry.URL
}

// store writes the pin and what proved the image, and puts all of it in its place.
func (t *taking) store() (*Outcome, error) {
	p := &t.out.Pin
	for _, name := range []string{t.out.sums, t.out.signature} {
		data, ok := t.read[name]
		file := path.Base(name)
		if !ok || file == p.File || file == pinName(p.Name) {
			continue
		}
		if err := os.WriteFile(path.Join(t.change.dir, file), data, 0o644); err != nil {
			return nil, report.Bare(err)
		}
		if len(p.Files) == 0 || p.Files[0] != file { // of a clearsigned file there is one
			p.Files = append(p.Files, file)
		}
	}
	if err := p.write(path.Join(t.change.dir, pinName(p.Name))); err != nil {
		return nil, report.Bare(err)
	}
	if err := t.change.keep(); err != nil {
		return nil, err
	}
	t.out.Changed = true
	if t.old != nil {
		t.out.Old = &t.old.Pin
	}
	return &t.out, nil
}
