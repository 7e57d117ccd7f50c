package source

import (
	"context"
	"errors"
	"slices"

	"snf-image/internal/host/fetch"
	"snf-image/internal/host/imageref"
)

// Library opens images by reference.
type Library struct {
	// Store is where names without a path are looked for; nil where such a name is a path.
	Store *Store
	// Fetch opens URLs.
	Fetch *fetch.Client
	// Format is that of the image, which the names of old files end with.
	Format string
	// Warn takes a warning about how an image is named.
	Warn func(string)
	// Note takes what happens to a transfer on its way, also while the image is read; it
	// must be safe for concurrent use.
	Note func(string)
}

// opener opens images of some kinds.
type opener struct {
	kinds []imageref.Kind
	// once means that the image comes from somewhere else and is read once, in order: it is
	// asked for last of all.
	once bool
	// check refuses by the text of the reference alone.
	check func(imageref.Ref) error
	// name is the image for logs.
	name func(imageref.Ref) string
	open func(context.Context, imageref.Ref) (*Image, error)
}

// openers returns a row for each way to an image.
func (l Library) openers() []opener {
	stored := opener{kinds: []imageref.Kind{imageref.Stored}, check: inStore, name: asGiven, open: l.openStored}
	bare := opener{kinds: []imageref.Kind{imageref.Bare}, check: inStore, name: asGiven, open: l.openStored}
	if l.Store == nil {
		bare.check, bare.open = anything, openPath
	}
	return []opener{
		stored,
		bare,
		{kinds: []imageref.Kind{imageref.URL}, once: true, check: l.checkURL, name: masked, open: l.openURL},
	}
}

// Found is an image that has not been opened.
type Found struct {
	Name string // fit for logs
	// Once means that it comes from somewhere else and is read once, in order.
	Once bool
	// Open opens the image, which the caller closes.
	Open func(context.Context) (*Image, error)
	// Digest is what the reference itself says that the stored bytes have.
	Digest imageref.Digest
}

// Find returns what id stands for, as far as its text tells. Nothing is opened or asked for.
func (l Library) Find(id string) (*Found, error) {
	ref, err := imageref.Parse(id)
	if err != nil {
		return nil, refuse(id, err, remedyName)
	}
	all := l.openers()
	i := slices.IndexFunc(all, func(o opener) bool { return slices.Contains(o.kinds, ref.Kind) })
	if i < 0 {
		return nil, refuse(id, errors.New("it is not an image"), remedyName)
	}
	o := all[i]
	if err := o.check(ref); err != nil {
		return nil, err
	}
	return &Found{Name: o.name(ref), Once: o.once, Digest: ref.Digest, Open: func(ctx context.Context) (*Image, error) { return o.open(ctx, ref) }}, nil
}

const remedyName = "set img_id to the name of a file in IMAGE_DIR, local://NAME, catalogue:NAME, a URL or null"

func anything(imageref.Ref) error   { return nil }
func asGiven(r imageref.Ref) string { return r.Name }
func masked(r imageref.Ref) string  { return fetch.Mask(r.Name) }
func (l Library) checkURL(r imageref.Ref) error {
	if err := l.Fetch.Check(r.Name); err != nil {
		return fetchFailure(r.Name, err)
	}
	return nil
}

func inStore(r imageref.Ref) error {
	if _, err := r.InStore(); err != nil {
		return refuse(r.Name, err, remedyName)
	}
	return nil
}

func openPath(_ context.Context, r imageref.Ref) (*Image, error) {
	image, err := Open(r.Name)
	if err == nil {
		image.Place = besideFile(r.Name, r.Name)
	}
	return image, err
}

// openStored opens a file in IMAGE_DIR.
func (l Library) openStored(_ context.Context, r imageref.Ref) (*Image, error) {
	if l.Store == nil {
		return nil, refuse(r.Name, errors.New("there is no IMAGE_DIR here"), "name a path")
	}
	image, warnings, err := l.Store.openRef(r, l.Format)
	for _, w := range warnings {
		l.Warn("img_id: " + w)
	}
	if err == nil {
		image.Place = besideFile(image.Name, r.Name)
	}
	return image, err
}

// openURL asks for an image by URL.
func (l Library) openURL(ctx context.Context, r imageref.Ref) (*Image, error) {
	name := masked(r)
	from, err := l.Fetch.Download(ctx, r.Name, func(text string) { l.Note(name + ": " + text) })
	if err != nil {
		return nil, fetchFailure(r.Name, err)
	}
	s, err := newStream(from, name)
	if err != nil {
		return nil, err
	}
	place, err := BesideURL(l.Fetch, r.Name, from.At)
	if err != nil {
		return nil, errors.Join(fetchFailure(r.Name, err), s.close())
	}
	return &Image{Name: name, Stored: max(from.Length, 0), File: s.out, Stream: s, Place: place}, nil
}
