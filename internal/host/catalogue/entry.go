package catalogue

import (
	"net/url"
	"path"
	"strings"
	"time"

	"snf-image/internal/host/problem"
	"snf-image/internal/host/trust"
	"snf-image/internal/spec"
)

// Entry is an image of the catalogue.
type Entry struct {
	Name        string
	Aliases     []string
	Description string
	File        string // that describes it

	URL    string // of the image at its vendor
	Format spec.Format
	// Sums, Signature and ImageSignature are the vendor's files beside the image, or URLs; %
	// stands for the name of the image. Signature is over Sums.
	Sums, Signature, ImageSignature string
	// SignedName is a pattern of what signed Sums call the image.
	SignedName string
	// Keys are the fingerprints of the keys that may have signed it.
	Keys []string
	// KeyURL is where the vendor publishes a key that is not shipped.
	KeyURL string
	// Digest is what the administrator, or whoever made the entry, says it is.
	Digest trust.Digest
	// Properties are those of the image, by name.
	Properties map[string]string
	// EndOfLife is the day from which its vendor keeps it no longer; zero when it is not known.
	EndOfLife time.Time

	// Problems are what is wrong with the entry, which then cannot be used.
	Problems problem.List

	places map[string]place // of the names that are set
}

// place is where something is set.
type place struct{ line, column int }

// Image returns the name of the image's file at its vendor.
func (e *Entry) Image() string {
	u, err := url.Parse(e.URL)
	if err != nil {
		return ""
	}
	return path.Base(u.Path)
}

// Ended reports whether the vendor keeps the image no longer.
func (e *Entry) Ended(now time.Time) bool {
	return !e.EndOfLife.IsZero() && !now.Before(e.EndOfLife)
}

// Beside returns the address of a file beside the image at address; % in its name stands
// for the image's. A name that is an address itself stays one.
func Beside(address, name string) string {
	u, err := url.Parse(address)
	if err != nil {
		return name
	}
	name = strings.ReplaceAll(name, "%", path.Base(u.Path))
	if strings.Contains(name, "://") {
		return name
	}
	return u.JoinPath("..", name).String()
}

// Mirror returns where a mirror has what is at address: MIRROR/HOST/PATH. Without a mirror
// it is the address itself.
func Mirror(mirror, address string) string {
	u, err := url.Parse(address)
	if mirror == "" || err != nil || u.Host == "" {
		return address
	}
	return strings.TrimSuffix(mirror, "/") + "/" + u.Host + u.EscapedPath()
}

// Plain returns an address as it may be kept: without what is secret in it.
func Plain(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	u.User, u.RawQuery, u.ForceQuery, u.Fragment = nil, "", false, ""
	return u.String()
}

// SameHost reports whether two addresses are of the same server.
func SameHost(a, b string) bool {
	x, errX := url.Parse(a)
	y, errY := url.Parse(b)
	return errX == nil && errY == nil && x.Host != "" && x.Host == y.Host && x.Scheme == y.Scheme
}
