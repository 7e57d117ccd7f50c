package catalogue

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"snf-image/internal/host/problem"
	"snf-image/internal/host/shellfile"
	"snf-image/internal/report"
)

// Catalogue holds the entries of a node.
type Catalogue struct {
	entries []*Entry // by name
}

// ErrUnknown means that the catalogue has no such entry.
var ErrUnknown = errors.New("the catalogue has no entry of that name")

// maxEntries bounds the catalogue.
const maxEntries = 1000

// Load reads the entries in dirs, of which a later one wins. A directory that is not there
// holds none. arch is that of the images.
func Load(arch string, dirs ...string) (*Catalogue, error) {
	found := map[string]*Entry{}
	for _, dir := range dirs {
		list, err := os.ReadDir(dir)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("reading the catalogue: %w", err)
		}
		for _, f := range list {
			name, ok := strings.CutSuffix(f.Name(), ".conf")
			if !ok || strings.HasPrefix(name, ".") {
				continue
			}
			e, err := load(name, filepath.Join(dir, f.Name()), arch)
			if err != nil {
				return nil, err
			}
			found[name] = e
		}
	}
	c := new(Catalogue)
	for _, e := range found {
		if e != nil {
			c.entries = append(c.entries, e)
		}
	}
	if len(c.entries) > maxEntries {
		return nil, fmt.Errorf("the catalogue has more than %d entries", maxEntries)
	}
	slices.SortFunc(c.entries, func(a, b *Entry) int { return cmp.Compare(a.Name, b.Name) })
	c.checkNames()
	return c, nil
}

// load reads one entry; it is nil when the file is empty, which masks the entry.
func load(name, file, arch string) (*Entry, error) {
	data, err := shellfile.Load(file)
	if err != nil {
		return nil, &report.Failure{Kind: report.Usage, What: "reading the catalogue", On: file, Cause: err, Remedy: shellfile.Remedy(err)}
	}
	if len(data) == 0 {
		return nil, nil //nolint:nilnil // there is no entry
	}
	return Parse(name, file, data, arch), nil
}

// checkNames finds aliases that stand for two entries.
func (c *Catalogue) checkNames() {
	owner := map[string]*Entry{}
	for _, e := range c.entries {
		owner[e.Name] = e
	}
	for _, e := range c.entries {
		for _, a := range e.Aliases {
			if other := owner[a]; other != nil {
				e.report("ALIASES", fmt.Sprintf("%s is a name of %s, in %s", a, other.Name, other.File), "", ErrValue)
				continue
			}
			owner[a] = e
		}
	}
}

// All returns the entries by name, also those that cannot be used.
func (c *Catalogue) All() []*Entry { return slices.Clone(c.entries) }

// Lookup returns the entry of a name or an alias, nil when there is none.
func (c *Catalogue) Lookup(name string) *Entry {
	for _, e := range c.entries {
		if e.Name == name {
			return e
		}
	}
	for _, e := range c.entries {
		if slices.Contains(e.Aliases, name) {
			return e
		}
	}
	return nil
}

// Find returns the entry of a name or an alias that can be used.
func (c *Catalogue) Find(name string) (*Entry, error) {
	e := c.Lookup(name)
	if e == nil {
		remedy := `see "snf-image image list"`
		if near := problem.Nearest(name, c.names()); near != "" {
			remedy = "did you mean " + near + "?"
		}
		return nil, &report.Failure{Kind: report.Image, What: "looking in the catalogue", On: report.Printable(name), Cause: ErrUnknown, Remedy: remedy}
	}
	if err := e.Problems.Err(); err != nil {
		return nil, &report.Failure{Kind: report.Usage, What: "reading the entry of the catalogue", On: e.Name, Cause: err, Remedy: "fix the file, or make an empty one of that name in the last directory of CATALOGUE_DIRS to do without it"}
	}
	return e, nil
}

func (c *Catalogue) names() []string {
	var names []string
	for _, e := range c.entries {
		names = append(append(names, e.Name), e.Aliases...)
	}
	return names
}
