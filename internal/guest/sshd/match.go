package sshd

import (
	"path"
	"slices"
	"strings"
)

// match are the arguments of a Match line of sshd_config(5).
type match []string

// String is the line.
func (m match) String() string { return "Match " + strings.Join(m, " ") }

// verdict reports whether a condition holds; the order matters.
type verdict int

const (
	no verdict = iota
	perhaps
	yes
)

// holds reports whether the line matches every connection of the user, none, or
// some.
func (m match) holds(user string, groups []string) verdict {
	result := yes
	words := m.words()
	for len(words) > 0 {
		criterion := strings.ToLower(words[0])
		words = words[1:]
		switch criterion {
		case "all":
			continue
		case "canonical", "final", "invalid-user": // without an argument
			return no
		}
		if len(words) == 0 {
			return no // the server refuses the file
		}
		argument := words[0]
		words = words[1:]
		switch criterion {
		case "user":
			result = min(result, matchList(argument, []string{user}))
		case "group":
			result = min(result, matchList(argument, groups))
		default:
			result = min(result, perhaps)
		}
	}
	return result
}

// words are the arguments, with those of the form NAME=VALUE in two.
func (m match) words() []string {
	var words []string
	for _, w := range m {
		name, value, both := strings.Cut(w, "=")
		if words = append(words, name); both {
			words = append(words, value)
		}
	}
	return words
}

// matchList reports whether one of the names matches a list of patterns, and no
// name one that begins with "!" (ssh_config(5), PATTERNS).
func matchList(list string, names []string) verdict {
	found := no
	for pattern := range strings.SplitSeq(list, ",") {
		pattern, negated := strings.CutPrefix(pattern, "!")
		if !slices.ContainsFunc(names, func(n string) bool { return matchPattern(pattern, n) }) {
			continue
		}
		if negated {
			return no
		}
		found = yes
	}
	return found
}

// matchPattern knows the wildcards "*" and "?" alone.
func matchPattern(pattern, name string) bool {
	quoted := strings.NewReplacer(`\`, `\\`, "[", `\[`).Replace(pattern)
	ok, err := path.Match(quoted, name)
	return err == nil && ok
}
