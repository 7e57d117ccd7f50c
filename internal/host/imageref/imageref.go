// Package imageref reads img_id: it is the one place that knows the meaning of a
// reference to an image. It opens nothing.
package imageref

import (
	"encoding/hex"
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"snf-image/internal/spec"
)

// Kind is where an image is.
type Kind int

// The kinds.
const (
	// Bare is a name without a scheme: a file in IMAGE_DIR, or where paths may be named a
	// path.
	Bare   Kind = iota
	None        // no image: the disk is customized as it is
	Stored      // a file in IMAGE_DIR
	URL
	Catalogue // an entry of the catalogue, which says where its image is
)

// Entry is what a reference to an entry of the catalogue begins with.
const Entry = "catalogue:"

// Ref is a reference to an image.
type Ref struct {
	Kind Kind
	Name string // without local:// or catalogue:; of a URL all of it
	Old  bool   // written as file://, an old name of local://
	// Digest is what the stored bytes must have, as sha256 or sha512 and in hexadecimal; the
	// zero value asks for nothing.
	Digest Digest
}

// Digest is a digest of an image as it is stored: #sha256=HEX at the end of img_id.
type Digest struct{ Name, Hex string }

// Errors of a reference.
var (
	ErrPithos = errors.New("image stores of Pithos are not supported")
	ErrScheme = errors.New("unknown scheme")
	ErrColon  = errors.New("a name with a colon is neither a file in IMAGE_DIR nor a URL this program knows")
	ErrNoFile = errors.New("it names no file")
	ErrDigest = errors.New("malformed digest: #sha256= takes 64 hexadecimal digits and #sha512= takes 128")
)

// Schemes are those of the URLs of images.
func Schemes() []string { return []string{"http", "https", "ftp", "ftps"} }

var scheme = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9+.-]*://`)

var digest = regexp.MustCompile(`#(sha256|sha512)=([^#]*)$`)

// Parse reads a reference by its text alone.
func Parse(id string) (Ref, error) {
	m := digest.FindStringSubmatch(id)
	if m == nil {
		return parse(id)
	}
	d := Digest{m[1], strings.ToLower(m[2])}
	if b, err := hex.DecodeString(d.Hex); err != nil || d.Name == "sha256" && len(b) != 32 || d.Name == "sha512" && len(b) != 64 {
		return Ref{}, ErrDigest
	}
	r, err := parse(strings.TrimSuffix(id, m[0]))
	if err == nil && r.Kind == None {
		return Ref{}, ErrNoFile
	}
	if err != nil {
		return Ref{}, err
	}
	r.Digest = d
	return r, nil
}

func parse(id string) (Ref, error) {
	prefix := scheme.FindString(id)
	name := strings.ToLower(strings.TrimSuffix(prefix, "://"))
	rest := id[len(prefix):]
	switch {
	case id == spec.NoImage:
		return Ref{Kind: None}, nil
	case strings.HasPrefix(id, "pithos:"), strings.HasPrefix(id, "pithosmap:"):
		return Ref{}, ErrPithos
	case strings.HasPrefix(id, Entry):
		return Ref{Kind: Catalogue, Name: strings.TrimPrefix(id, Entry)}, nil
	case prefix == "":
		return Ref{Kind: Bare, Name: id}, nil
	case name == "local", name == "file":
		return Ref{Kind: Stored, Name: rest, Old: name == "file"}, nil
	case slices.Contains(Schemes(), name) && strings.Contains(rest, "#"):
		return Ref{}, ErrDigest // a fragment of an image's URL means nothing else
	case slices.Contains(Schemes(), name):
		return Ref{Kind: URL, Name: id}, nil
	}
	return Ref{}, fmt.Errorf("%w %.32q", ErrScheme, name)
}

// IsURL reports whether id is a URL of an image.
func IsURL(id string) bool {
	r, err := Parse(id)
	return err == nil && r.Kind == URL
}

// IsPath reports whether r can only be meant as a path, where paths may be named.
func (r Ref) IsPath() bool {
	return r.Kind == Bare && slices.ContainsFunc([]string{"/", "./", "../"}, func(p string) bool { return strings.HasPrefix(r.Name, p) })
}

// InStore returns the name in IMAGE_DIR that r stands for.
func (r Ref) InStore() (string, error) {
	switch {
	case r.Kind == Bare && strings.Contains(r.Name, ":"), r.Kind == URL, r.Kind == Catalogue:
		return "", ErrColon
	case filepath.Clean("/"+r.Name) == "/" || strings.ContainsRune(r.Name, 0):
		return "", ErrNoFile
	}
	return r.Name, nil
}
