package catalogue

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"

	"snf-image/internal/host/trust"
	"snf-image/internal/host/values"
)

// field is a name that an entry may set.
type field struct {
	name, doc string
	set       func(*Entry, string) error
}

// fields lists them in the order they are documented.
var fields = []field{
	{"DESCRIPTION", "what it is, for people", line(func(e *Entry) *string { return &e.Description })},
	{"ALIASES", "other names of it", setAliases},
	{"VERSION", "for `${VERSION}` in the lines after it", func(*Entry, string) error { return nil }},
	{"URL", "of the image, http, https, ftp or ftps; required", setURL},
	{"FORMAT", "img_format of the image; required", setFormat},
	{"SUMS", "the vendor's file of checksums: a name beside the image, or a URL; `%` stands for the name of the image", proof(func(e *Entry) *string { return &e.Sums })},
	{"SIGNATURE", "the signature over SUMS, where it is not inside", proof(func(e *Entry) *string { return &e.Signature })},
	{"IMAGE_SIGNATURE", "the signature over the image itself", proof(func(e *Entry) *string { return &e.ImageSignature })},
	{"SIGNED_NAME", "what signed SUMS call the image, where that is not its name in URL with other versions; `*` stands for what changes", setSignedName},
	{"KEYS", "fingerprints of the keys that may have signed it; no other key counts", setKeys},
	{"KEY_URL", "where the vendor publishes the key, where it is not shipped", line(func(e *Entry) *string { return &e.KeyURL })},
	{"DIGEST", "`sha256:HEX` or `sha512:HEX` of the image, where the vendor publishes no file of checksums", setDigest},
	{"PROPERTIES", "properties of the image as a JSON object", setProperties},
	{"END_OF_LIFE", "the day the vendor's support ends, as 2028-06-30", setEnd},
}

// Names returns the names an entry may set, but for those of single properties, PROPERTY_*.
func Names() []string {
	names := make([]string, 0, len(fields))
	for _, f := range fields {
		names = append(names, f.name)
	}
	return names
}

// Reference returns each name an entry may set with what it means.
func Reference() [][2]string {
	rows := make([][2]string, 0, len(fields)+1)
	for _, f := range fields {
		rows = append(rows, [2]string{f.name, f.doc})
	}
	return append(rows, [2]string{"PROPERTY_NAME", "one property of the image"})
}

var goodName = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,63}$`)

// maxValue bounds what is shown or asked for.
const maxValue = 2048

func line(to func(*Entry) *string) func(*Entry, string) error {
	return func(e *Entry, s string) error {
		if len(s) > maxValue || strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f }) {
			return errors.New("expected one line")
		}
		*to(e) = s
		return nil
	}
}

func setAliases(e *Entry, s string) error {
	e.Aliases = strings.Fields(s)
	for _, a := range e.Aliases {
		if !goodName.MatchString(a) {
			return fmt.Errorf("%.64q cannot be a name", a)
		}
	}
	return nil
}

func setURL(e *Entry, s string) error {
	if err := checkURL(s); err != nil {
		return err
	}
	e.URL = s
	return nil
}

// checkURL wants the URL of a file.
func checkURL(s string) error {
	u, err := url.Parse(s)
	switch {
	case err != nil || len(s) > maxValue || u.Host == "" || !slices.Contains([]string{"http", "https", "ftp", "ftps"}, u.Scheme):
		return errors.New("expected a URL of http, https, ftp or ftps")
	case u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return errors.New("a URL of the catalogue has neither user nor query nor fragment")
	case u.Path != path.Clean(u.Path) || !goodFile.MatchString(path.Base(u.Path)):
		return errors.New("it does not end in the name of a file")
	}
	return nil
}

// goodFile is the name of a vendor's file, which becomes that of one in IMAGE_DIR.
var goodFile = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._+~-]{0,199}$`)

func setFormat(e *Entry, s string) error {
	f, known := values.LookupFormat(s)
	if !known {
		return errors.New("expected one of " + values.FormatNames())
	}
	e.Format = f.Name
	return nil
}

func proof(to func(*Entry) *string) func(*Entry, string) error {
	return func(e *Entry, s string) error {
		switch {
		case strings.Contains(s, "://"):
			if err := checkURL(s); err != nil {
				return err
			}
		case !goodFile.MatchString(strings.Replace(s, "%", "x", 1)):
			return errors.New("expected the name of a file beside the image")
		}
		*to(e) = s
		return nil
	}
}

// setSignedName takes a pattern that has more to it than its star.
func setSignedName(e *Entry, s string) error {
	if !goodFile.MatchString(strings.ReplaceAll(s, "*", "x")) || strings.Trim(s, "*.") == "" {
		return errors.New("expected the name of a file, with * for what changes")
	}
	e.SignedName = s
	return nil
}

var fingerprint = regexp.MustCompile(`^([0-9A-F]{16}|[0-9A-F]{40}|[0-9A-F]{64})$`)

func setKeys(e *Entry, s string) error {
	for _, k := range strings.Fields(s) {
		k = strings.ToUpper(k)
		if !fingerprint.MatchString(k) {
			return fmt.Errorf("%.80q is not a fingerprint: 40 hexadecimal digits, without spaces, or the 16 of a minisign key", k)
		}
		e.Keys = append(e.Keys, k)
	}
	if len(e.Keys) == 0 {
		return errors.New("expected fingerprints")
	}
	return nil
}

func setDigest(e *Entry, s string) error {
	d, err := trust.ParseDigest(s)
	if d.By = "the catalogue, " + e.File; d.Algorithm != "" {
		e.Digest = d
	}
	return err
}

// maxProperties bounds the properties of an entry.
const maxProperties = 100

func setProperties(e *Entry, s string) error {
	found := map[string]string{}
	if err := json.Unmarshal([]byte(s), &found); err != nil {
		return errors.New("expected a JSON object of strings")
	}
	for _, name := range slices.Sorted(maps.Keys(found)) {
		if err := e.setProperty(strings.ToUpper(name), found[name]); err != nil {
			return err
		}
	}
	return nil
}

var propertyName = regexp.MustCompile(`^[A-Z0-9_]{1,64}$`)

func (e *Entry) setProperty(name, value string) error {
	_, twice := e.Properties[name]
	switch {
	case !propertyName.MatchString(name):
		return fmt.Errorf("%.64q cannot be the name of a property", name)
	case twice:
		return fmt.Errorf("property %s is set twice", name)
	case len(e.Properties) == maxProperties:
		return fmt.Errorf("more than %d properties", maxProperties)
	}
	e.Properties[name] = value
	return nil
}

func setEnd(e *Entry, s string) error {
	t, err := time.Parse(time.DateOnly, s)
	if err != nil {
		return errors.New("expected a day as 2028-06-30")
	}
	e.EndOfLife = t
	return nil
}

// IsName reports whether s can be the name of an entry.
func IsName(s string) bool { return goodName.MatchString(s) }
