package platform

import (
	"cmp"
	"strings"
)

// compareVersions compares two versions as the Version Format Specification of the UAPI Group has it.
func compareVersions(a, b string) int {
	for {
		a, b = strings.TrimLeftFunc(a, separates), strings.TrimLeftFunc(b, separates)
		for _, mark := range []byte("~\x00-^.") { // of two parts the one that begins with it is older
			if order := begins(b, mark) - begins(a, mark); order != 0 {
				return order
			}
			switch {
			case begins(a, mark) == 0:
			case mark == 0:
				return 0
			default:
				a, b = a[1:], b[1:]
			}
		}
		var order int
		if order, a, b = compareParts(a, b); order != 0 {
			return order
		}
	}
}

// separates reports whether a character only separates parts of a version.
func separates(c rune) bool { return !isDigit(c) && !isLetter(c) && !strings.ContainsRune("~-^.", c) }

func isDigit(c rune) bool  { return c >= '0' && c <= '9' }
func isLetter(c rune) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' }

// begins returns 1 if a version begins with a mark, or, for 0, ends.
func begins(version string, mark byte) int {
	if mark == 0 && version == "" || version != "" && version[0] == mark {
		return 1
	}
	return 0
}

// compareParts compares the numbers that two versions begin with, if one does, else the words,
// and returns what is behind. A number is newer than none.
func compareParts(a, b string) (order int, restA, restB string) {
	number := func(s string) string { return s[:len(s)-len(strings.TrimLeftFunc(s, isDigit))] }
	word := func(s string) string { return s[:len(s)-len(strings.TrimLeftFunc(s, isLetter))] }
	if x, y := number(a), number(b); x != "" || y != "" {
		restA, restB = a[len(x):], b[len(y):]
		if x == "" || y == "" {
			return cmp.Compare(len(x), len(y)), restA, restB
		}
		x, y = strings.TrimLeft(x, "0"), strings.TrimLeft(y, "0")
		return cmp.Or(cmp.Compare(len(x), len(y)), cmp.Compare(x, y)), restA, restB
	}
	x, y := word(a), word(b)
	return cmp.Compare(x, y), a[len(x):], b[len(y):]
}
