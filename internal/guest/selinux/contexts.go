// Package selinux knows which label the policy of an image gives to a file.
//
// It reads the text files that the image's policy is installed with (selabel_file(5)),
// runs nothing of the image and loads no policy. Whatever these files hold, a look-up takes
// a time that is linear in the length of the path for each rule, and bounded memory: the
// regular expressions are those of Go, and a rule that they do not know, or that is too large,
// is an error for the paths that it could be about, never a wrong label.
package selinux

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
)

// ErrRule is the error of a path that a rule could be about which cannot be read.
var ErrRule = errors.New("a rule of the policy's file contexts cannot be read")

// none is what stands for the label of a file that is not to have one by the policy.
const none = "<<none>>"

// Contexts are the rules by which a policy labels files.
type Contexts struct {
	rules []rule // the last one that matches counts
	// subs are the pairs of file_contexts.subs, dist those of file_contexts.subs_dist.
	subs, dist []substitution

	customizable map[string]bool

	left int // of maxSizes
}

// Restored returns the label that a file of that type at p should have in place of the one it
// has; "" where that one can stay. Types alone are compared, as restorecon(8) does, and one
// that is customizable stays.
func (c *Contexts) Restored(p string, kind fs.FileMode, label string) (string, error) {
	if c.customizable[typeOf(label)] {
		return "", nil
	}
	want, err := c.Lookup(p, kind)
	if err != nil || typeOf(want) == typeOf(label) {
		return "", err
	}
	return want, nil
}

// Lookup returns the label of a file of that type at the absolute path p, "" where the policy
// has none for it.
func (c *Contexts) Lookup(p string, kind fs.FileMode) (string, error) {
	p = substitute(c.dist, substitute(c.subs, p))
	letter, subject := letterOf(kind), widen(p)
	for i := range slices.Backward(c.rules) {
		r := &c.rules[i]
		if r.kind != 0 && r.kind != letter {
			continue
		}
		ok, err := r.matches(p, subject, &c.left)
		switch {
		case err != nil:
			return "", fmt.Errorf("%w: %.200q, line %d of %s: %w", ErrRule, r.pattern, r.line, r.file, err)
		case ok && r.label == none:
			return "", nil
		case ok:
			return r.label, nil
		}
	}
	return "", nil
}

// letterOf returns the letter that stands for a type of file in a rule.
func letterOf(kind fs.FileMode) byte {
	switch kind.Type() {
	case fs.ModeDir:
		return 'd'
	case fs.ModeSymlink:
		return 'l'
	case fs.ModeNamedPipe:
		return 'p'
	case fs.ModeSocket:
		return 's'
	case fs.ModeDevice:
		return 'b'
	case fs.ModeDevice | fs.ModeCharDevice:
		return 'c'
	}
	return '-'
}

// substitution makes the paths at and below from be looked up as if they were below to.
type substitution struct{ from, to string }

// substitute returns the path that p is looked up by.
func substitute(list []substitution, p string) string {
	for _, s := range list {
		rest, ok := strings.CutPrefix(p, s.from)
		if !ok || rest != "" && rest[0] != '/' {
			continue
		}
		if s.to == "/" {
			rest = strings.TrimPrefix(rest, "/")
		}
		return s.to + rest
	}
	return p
}

// typeOf returns the type of a label: its third field.
func typeOf(label string) string {
	fields := strings.SplitN(label, ":", 4)
	if len(fields) < 3 {
		return ""
	}
	return fields[2]
}
