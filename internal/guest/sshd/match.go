package sshd

import (
	"path"
	"slices"
	"strings"
)

// match is a Match line of sshd_config(5).
type match struct{ args []string }

// login is a user who logs in. Each Match line is judged once for it: an image may have
// thousands of settings below a long one.
type login struct {
	user   string
	groups []string
	judged map[*match]verdict
}

func newLogin(user string, groups []string) *login { return &login{user, groups, map[*match]verdict{}} }

// holds reports whether the line matches every connection of the user, none, or some.
func (l *login) holds(m *match) verdict {
	v, known := l.judged[m]
	if !known {
		v = m.holds(l.user, l.groups)
		l.judged[m] = v
	}
	return v
}

// String is the line.
func (m *match) String() string { return "Match " + short(m.args) }

// verdict reports whether a condition holds; the order matters.
type verdict int

const (
	no verdict = iota
	perhaps
	yes
)

// holds reports whether the line matches every connection of the user, none, or
// some.
func (m *match) holds(user string, groups []string) verdict {
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
func (m *match) words() []string {
	var words []string
	for _, w := range m.args {
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
	if strings.ContainsAny(pattern, `\[`) {
		pattern = literal.Replace(pattern)
	}
	ok, err := path.Match(pattern, name)
	return err == nil && ok
}

// literal quotes what only path.Match takes for more than it is.
var literal = strings.NewReplacer(`\`, `\\`, "[", `\[`)
