package selinux

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"
)

// Bounds of the rules of an image; the largest policies have ten thousand.
const (
	maxRules   = 100_000
	maxPattern = 4096
	maxLabel   = 4096
	// Instructions of the compiled expressions, of one and of all together; each takes some 50
	// bytes. The longest rules have a few hundred, all of a large policy fewer than a million.
	maxSize  = 1 << 15
	maxSizes = 1 << 21
)

var errSize = errors.New("the expression is too large")

// meta are the characters that make a regular expression of a path.
const meta = ".^$?*+|[({"

// rule is one line of a file of contexts.
type rule struct {
	pattern string
	kind    byte // the letter of the type of file, 0 for all types
	label   string
	file    string
	line    int
	literal bool // a path, no expression
	// A path that the rule is about begins with stem, its first directory, which is compared
	// and not matched; what follows begins with prefix.
	stem, prefix string

	compiled *regexp.Regexp
	err      error
}

// matches reports whether the rule is about a path; subject is the path widened. The size of an
// expression that is compiled for this is taken from what is left.
func (r *rule) matches(p, subject string, left *int) (bool, error) {
	rest, ok := strings.CutPrefix(p, r.stem)
	if !ok || !strings.HasPrefix(rest, r.prefix) || r.stem != "" && !strings.HasPrefix(rest, "/") {
		return false, nil
	}
	if r.literal {
		return rest == r.prefix, nil
	}
	if r.compiled == nil && r.err == nil {
		r.compiled, r.err = compile(r.pattern, left)
	}
	if r.err != nil {
		return false, r.err
	}
	return r.compiled.MatchString(subject), nil
}

// compile makes the expression of a pattern. It is put between "^" and "$" as it stands, as
// libselinux does: an alternative on its top level belongs to one of them only.
func compile(pattern string, left *int) (*regexp.Regexp, error) {
	text := "(?s)^" + widen(pattern) + "$"
	parsed, err := syntax.Parse(text, syntax.Perl)
	if err != nil {
		return nil, err
	}
	size := sizeOf(parsed)
	if size > min(maxSize, *left) {
		return nil, errSize
	}
	*left -= size
	return regexp.Compile(text)
}

// sizeOf estimates how many instructions an expression is compiled to. A repetition is
// written out: a few bytes of a policy may stand for millions.
func sizeOf(re *syntax.Regexp) int {
	size := 1 + len(re.Rune)
	for _, sub := range re.Sub {
		size += sizeOf(sub)
	}
	if re.Op == syntax.OpRepeat {
		size *= max(1, re.Min, re.Max)
	}
	return size
}

// widen makes a character of every byte, so that "." stands for a byte as it does in the
// expressions of a policy.
func widen(s string) string {
	if strings.IndexFunc(s, func(r rune) bool { return r >= 0x80 }) < 0 {
		return s
	}
	wide := make([]rune, len(s))
	for i := range len(s) {
		wide[i] = rune(s[i])
	}
	return string(wide)
}

// stemOf returns the first directory of a pattern, "" where it is not plain.
func stemOf(pattern string) string {
	if pattern == "" {
		return ""
	}
	n := strings.IndexByte(pattern[1:], '/') + 1
	if n == 0 || strings.ContainsAny(pattern[:n], meta) {
		return ""
	}
	return pattern[:n]
}

// setPattern finds out what is known of the paths that the rule is about without its expression.
func (r *rule) setPattern(pattern string) {
	r.pattern, r.stem = pattern, stemOf(pattern)
	rest := pattern[len(r.stem):]
	var plain []byte
	i := 0
	for ; i < len(rest); i++ {
		c := rest[i]
		if strings.IndexByte(meta, c) >= 0 {
			break
		}
		if c == '\\' {
			if i+1 == len(rest) || alphanumeric(rest[i+1]) {
				break // a class, or an error
			}
			i++
			c = rest[i]
		}
		plain = append(plain, c)
	}
	r.literal = i == len(rest)
	if !r.literal {
		plain = shorten(plain, rest[i:])
	}
	r.prefix = string(plain)
}

// shorten takes off what the next character of an expression may make optional, and all of
// it where there is an alternative.
func shorten(plain []byte, rest string) []byte {
	switch {
	case strings.Contains(rest, "|") && topAlternative(rest):
		return nil
	case len(plain) > 0 && strings.IndexByte("?*{", rest[0]) >= 0:
		return plain[:len(plain)-1]
	}
	return plain
}

// topAlternative reports whether there is a "|" outside of parentheses, or perhaps is.
func topAlternative(rest string) bool {
	depth := 0
	for i := 0; i < len(rest); i++ {
		switch rest[i] {
		case '\\':
			i++
		case '(':
			depth++
		case ')':
			depth--
		case '[':
			return true // may hold any of these
		case '|':
			if depth <= 0 {
				return true
			}
		}
	}
	return false
}

func alphanumeric(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

// Definition is what a policy says about labels.
type Definition struct {
	// Contexts are the files with rules in their order: file_contexts,
	// file_contexts.homedirs and file_contexts.local.
	Contexts []File
	// Subs and Dist are file_contexts.subs and file_contexts.subs_dist.
	Subs, Dist []byte
	// FirstWins is the way of libselinux since 3.8: of rules for one path, and of two
	// substitutions, the first one counts. It was the last one before.
	FirstWins bool
}

// File is one file of a policy.
type File struct {
	Name string
	Data []byte
}

// Parse reads the rules of a policy.
func (d Definition) Parse() (*Contexts, error) {
	c := &Contexts{left: maxSizes}
	for _, f := range d.Contexts {
		if err := c.add(f); err != nil {
			return nil, err
		}
	}
	// A rule that is a path wins over those that are expressions.
	slices.SortStableFunc(c.rules, func(a, b rule) int { return cmp.Compare(order(a), order(b)) })
	if i := slices.IndexFunc(c.rules, func(r rule) bool { return r.literal }); i >= 0 && d.FirstWins {
		slices.Reverse(c.rules[i:])
	}
	c.subs, c.dist = d.substitutions(d.Subs), d.substitutions(d.Dist)
	return c, nil
}

// add appends the rules of a file.
func (c *Contexts) add(f File) error {
	number := 0
	for line := range strings.SplitSeq(string(f.Data), "\n") {
		number++
		r, err := parseRule(line)
		if err != nil {
			return fmt.Errorf("line %d of %s: %w", number, f.Name, err)
		}
		if r == nil {
			continue
		}
		r.file, r.line = f.Name, number
		if c.rules = append(c.rules, *r); len(c.rules) > maxRules {
			return fmt.Errorf("%s: more than %d rules", f.Name, maxRules)
		}
	}
	return nil
}

func order(r rule) int {
	if r.literal {
		return 1
	}
	return 0
}

// parseRule reads one line; nil for one that holds no rule.
func parseRule(line string) (*rule, error) {
	words := strings.Fields(line)
	if len(words) == 0 || words[0][0] == '#' {
		return nil, nil
	}
	r := new(rule)
	switch {
	case len(words) == 2:
		r.label = words[1]
	case len(words) >= 3 && len(words[1]) == 2 && words[1][0] == '-' && strings.IndexByte("bcdpls-", words[1][1]) >= 0:
		r.kind, r.label = words[1][1], words[2]
	default:
		return nil, fmt.Errorf("neither PATH LABEL nor PATH TYPE LABEL: %.200q", line)
	}
	if len(words[0]) > maxPattern || !validLabel(r.label) {
		return nil, errors.New("an expression or a label that no policy has")
	}
	r.setPattern(words[0])
	return r, nil
}

// validLabel reports whether a text has the form of a label.
func validLabel(label string) bool {
	if label == none {
		return true
	}
	fields := strings.Split(label, ":")
	return len(label) <= maxLabel && len(fields) >= 3 && !slices.Contains(fields[:3], "") &&
		!strings.ContainsFunc(label, func(r rune) bool { return r <= ' ' || r >= 0x7f })
}

// substitutions reads file_contexts.subs or file_contexts.subs_dist.
func (d Definition) substitutions(data []byte) []substitution {
	var list []substitution
	for line := range strings.SplitSeq(string(data), "\n") {
		words := strings.Fields(line)
		if len(words) < 2 || words[0][0] == '#' || len(list) == maxRules {
			continue
		}
		list = append(list, substitution{words[0], words[1]})
	}
	if !d.FirstWins {
		slices.Reverse(list)
	}
	return list
}
