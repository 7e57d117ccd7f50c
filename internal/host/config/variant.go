package config

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"snf-image/internal/host/problem"
	"snf-image/internal/host/shellfile"
)

// ErrVariant is the rule of problems with an OS variant.
var ErrVariant = errors.New("unusable OS variant")

// VariantOrigin is where the name of the variant comes from.
const VariantOrigin problem.Origin = "OS_VARIANT"

// LoadVariant is Load with the file of an OS variant as the last one. It lies in
// VARIANTS_DIR; list is the variants.list of the OS definition. An empty variant means
// that there is no such file.
func LoadVariant(variant, list string, files ...File) (*Config, problem.List) {
	r := newReader()
	r.load(files)
	if variant != "" {
		r.variant(variant, list)
	}
	return r.config()
}

// variant reads the file of a variant. Whoever names a variant without one has
// either not made the file or mistaken the name.
func (r *reader) variant(name, list string) {
	dir, _ := r.value("VARIANTS_DIR")
	path := filepath.Join(dir, name+".conf")
	fail := func(message, remedy string) {
		r.problems = append(r.problems, problem.Problem{Severity: problem.Error, Origin: VariantOrigin, Message: message, Remedy: remedy, Rule: ErrVariant})
	}
	if strings.ContainsFunc(name, func(c rune) bool { return c <= ' ' || c == '/' || c == 0x7f }) || name[0] == '.' {
		fail(fmt.Sprintf("%.64q cannot be the name of a variant", name), "")
		return
	}
	data, err := shellfile.Load(path)
	published := publishedVariants(list)
	switch {
	case err == nil:
		r.read(path, data)
	case !errors.Is(err, fs.ErrNotExist):
		fail("reading "+path+": "+err.Error(), shellfile.Remedy(err))
	case slices.Contains(published, name):
		fail(fmt.Sprintf("variant %q has no file %s", name, path), "make the file, it may be empty, or take the name out of "+list)
	default:
		fail(fmt.Sprintf("there is no variant %q: neither a line in %s nor a file %s", name, list, path),
			"use one of the variants "+strings.Join(published, ", "))
	}
}

// publishedVariants are the lines of variants.list.
func publishedVariants(list string) []string {
	data, _ := shellfile.Text(list) // without it none is published
	return strings.Fields(string(data))
}
