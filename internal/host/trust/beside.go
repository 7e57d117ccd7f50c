package trust

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"sync"

	"snf-image/internal/host/keyring"
)

// signature returns the first signature of those that may be there. What is not one is
// passed over where nobody named it.
func (f *finder) signature(ctx context.Context, patterns []string) (string, []byte, error) {
	var names []string
	for _, p := range patterns {
		names = append(names, f.expand(p)...)
	}
	for i, name := range names {
		data, err := f.get(ctx, names, i)
		if err != nil {
			return "", nil, err
		}
		if data == nil {
			continue
		}
		_, err = keyring.Verify(keyring.Keys{}, bytes.NewReader(nil), data)
		isNone := errors.Is(err, keyring.ErrNoSignature) || errors.Is(err, keyring.ErrTooBig)
		if !isNone || f.Signature != "" {
			return name, data, nil
		}
	}
	if f.Signature != "" {
		return "", nil, &Error{names[0], ErrMissing}
	}
	return "", nil, nil
}

// expand returns the names that a pattern stands for: of a file it may be either name.
func (f *finder) expand(pattern string) []string {
	names := []string{strings.ReplaceAll(pattern, "%", f.Names[0])}
	for _, other := range f.Names[1:] {
		if name := strings.ReplaceAll(pattern, "%", other); !f.Remote && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// atOnce is how many files beside an image are asked for at the same time.
func (f *finder) atOnce() int {
	if f.Single {
		return 1
	}
	return 5
}

// get returns the file names[i] beside the image, nil when there is none. It asks for those
// that follow as well: a server may be far.
func (f *finder) get(ctx context.Context, names []string, i int) ([]byte, error) {
	if _, known := f.asked[names[i]]; !known {
		var wg sync.WaitGroup
		wave := names[i:min(i+f.atOnce(), len(names))]
		got := make([]answer, len(wave))
		for n, name := range wave {
			wg.Go(func() { got[n].data, got[n].err = f.Read(ctx, name) })
		}
		wg.Wait()
		for n, name := range wave {
			f.asked[name] = got[n]
		}
	}
	a := f.asked[names[i]]
	switch {
	case errors.Is(a.err, fs.ErrNotExist):
		return nil, nil
	case a.err != nil:
		return nil, &Error{names[i], fmt.Errorf("%w: %w", ErrUnreadable, a.err)}
	}
	return a.data, nil
}

// ErrUnreadable means that it could not be found out whether there is a proof.
var ErrUnreadable = errors.New("it cannot be read")
