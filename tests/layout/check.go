package layout

import (
	"fmt"
	"io/fs"
	"slices"
	"strings"
)

// Check reads the tree and returns every breach of the rules, sorted, each
// beginning with the file or package it is about.
func Check(fsys fs.FS) ([]string, error) {
	files, err := readTree(fsys)
	if err != nil {
		return nil, err
	}
	var found []string
	for _, f := range files {
		found = append(found, checkFile(f)...)
	}
	found = append(found, checkComments(files)...)
	found = append(found, checkSizes(files)...)
	slices.Sort(found)
	return slices.Compact(found), nil
}

func checkFile(f file) []string {
	var found []string
	add := func(format string, args ...any) {
		found = append(found, f.name+": "+fmt.Sprintf(format, args...))
	}
	most := maxLines
	if f.product() {
		most = maxProduction
		for _, fn := range f.long {
			add("%s", fn)
		}
	}
	if f.lines > most {
		add("%d lines, more than %d", f.lines, most)
	}
	if slices.Contains(badNames, strings.TrimSuffix(f.pkg, "_test")) {
		add("package is called %s, which says nothing", f.pkg)
	}
	if f.inits {
		add("func init: list choices as literals instead")
	}
	for _, p := range f.imports {
		if why := checkImport(f, p); why != "" {
			add("imports %s: %s", p, why)
		}
	}
	if !f.test && !within(f.dir, []string{"tests/"}) {
		for _, why := range checkConfined(f) {
			add("%s", why)
		}
	}
	return found
}

// checkImport returns why f may not import p, or "".
func checkImport(f file, p string) string {
	ours, isOurs := strings.CutPrefix(p, module+"/")
	first, _, _ := strings.Cut(p, "/")
	switch {
	case isOurs:
		return checkOurs(f, ours)
	case !strings.Contains(first, "."):
		return "" // standard library
	case p == "golang.org/x/sys" || strings.HasPrefix(p, "golang.org/x/sys/"):
		return ""
	default:
		return checkModule(f, p)
	}
}

// checkOurs applies the ring rules and the leaves. Tests keep to them as well,
// but may import the package they test, and those that serve tests of packages.
func checkOurs(f file, p string) string {
	switch {
	case f.test && (p == f.dir || within(p, forTests)):
		return ""
	case slices.Contains(basics, f.dir):
		return "the basics import only the standard library and golang.org/x/sys"
	case slices.Contains(basics, p), slices.Contains(shared, p):
		return ""
	}
	for from, to := range allowed {
		if within(f.dir, []string{from}) && within(p, to) {
			return ""
		}
	}
	return "not among the imports " + f.dir + " may have"
}

func checkModule(f file, p string) string {
	for mod, places := range modules {
		if p != mod && !strings.HasPrefix(p, mod+"/") {
			continue
		}
		inTests := f.test || within(f.dir, []string{"tests/"})
		if within(f.dir, places) || inTests && slices.Contains(places, onlyTests) {
			return ""
		}
		return "module confined to " + strings.Join(places, ", ")
	}
	return "module is not in the table of third-party modules"
}

func checkConfined(f file) []string {
	var found []string
	for _, c := range confined {
		if within(f.dir, c.to) {
			continue
		}
		for _, use := range c.use {
			if slices.Contains(f.imports, use) || slices.Contains(f.uses, use) {
				found = append(found, fmt.Sprintf("uses %s, which belongs in %s", use, strings.Join(c.to, ", ")))
			}
		}
	}
	return found
}

// checkComments finds the packages without a package comment.
func checkComments(files []file) []string {
	commented := map[string]bool{}
	for _, f := range files {
		commented[f.dir] = commented[f.dir] || f.comment
	}
	var found []string
	for dir, ok := range commented {
		if !ok {
			found = append(found, dir+": no package comment")
		}
	}
	return found
}

// product reports whether f is neither a test nor of what serves tests.
func (f file) product() bool { return !f.test && !within(f.dir, []string{"tests/"}) }

// checkSizes finds packages that are large without a reason.
func checkSizes(files []file) []string {
	lines, reason := map[string]int{}, map[string]bool{}
	for _, f := range files {
		if f.product() {
			lines[f.dir] += f.code
			reason[f.dir] = reason[f.dir] || f.reason
		}
	}
	var found []string
	for dir, n := range lines {
		if n > maxPackage && !reason[dir] {
			found = append(found, fmt.Sprintf("%s: %d lines of code, more than %d, and its comment does not say \"It is large because ...\"", dir, n, maxPackage))
		}
	}
	return found
}
