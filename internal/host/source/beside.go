package source

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"snf-image/internal/host/fetch"
	"snf-image/internal/host/trust"
)

// BesideURL is the place of an image that comes from a URL; at is where redirects led. What
// lies beside it is looked for where it was asked for. A URL with a query has nothing
// beside it: it is made for one file.
func BesideURL(client *fetch.Client, image, at string) (trust.Place, error) {
	u, err := url.Parse(image)
	if err != nil {
		return trust.Place{}, errors.New("it is not a URL")
	}
	p := trust.Place{Names: []string{path.Base(u.Path)}, Remote: true}
	p.Single = strings.HasPrefix(strings.ToLower(u.Scheme), "ftp") // such servers let few in at the same time
	if end, err := url.Parse(at); err == nil && at != "" && !slices.Contains(p.Names, path.Base(end.Path)) {
		p.Names = append(p.Names, path.Base(end.Path))
	}
	p.Read = func(ctx context.Context, name string) ([]byte, error) {
		where := name
		if !fetch.IsURL(name) {
			if u.RawQuery != "" || strings.HasSuffix(u.Path, "/") || u.Path == "" {
				return nil, fs.ErrNotExist
			}
			beside := *u
			beside.Path, beside.RawPath, beside.Fragment = u.Path[:strings.LastIndex(u.Path, "/")+1]+name, "", ""
			where = beside.String()
		}
		data, err := readURL(ctx, client, where)
		if where != name && errors.Is(err, fetch.ErrForbidden) { // ALLOW_URL may name the image alone
			err = fs.ErrNotExist
		}
		return data, err
	}
	return p, nil
}

// readURL returns a small file from a server.
func readURL(ctx context.Context, client *fetch.Client, where string) ([]byte, error) {
	s, err := client.Download(ctx, where, func(string) {})
	if err == nil {
		defer s.Close() //nolint:errcheck // only read
		var data []byte
		if data, err = io.ReadAll(io.LimitReader(s, trust.MaxProof+1)); err == nil {
			return data, nil
		}
	}
	if fetch.Missing(err) {
		return nil, fs.ErrNotExist
	}
	return nil, fmt.Errorf("fetching %s: %w", fetch.Mask(where), err)
}

// besideFile is the place of a file that was asked for by a name, which may be a link.
func besideFile(file, asked string) trust.Place {
	if real, err := filepath.EvalSymlinks(file); err == nil {
		file = real
	}
	p := trust.Beside(file)
	if name := filepath.Base(asked); name != p.Names[0] {
		p.Names = append(p.Names, name)
	}
	return p
}
