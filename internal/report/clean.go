package report

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// MaxLine bounds, in bytes, a line from the helper and every text that is made
// of one.
const MaxLine = 512

// cut ends a text that was longer than its bound.
const cut = "…"

// Clean returns s fit for a terminal and a log: one line of at most MaxLine
// bytes, everything that does not print escaped as in a Go string. It does not
// escape backslashes, so that the texts of most programs stay as they are.
func Clean(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); {
		text, size := printable(s[i:])
		if b.Len()+len(text) > MaxLine-len(cut) && len(s)-i > MaxLine-b.Len() || b.Len()+len(text) > MaxLine {
			return shorten(b.String())
		}
		b.WriteString(text)
		i += size
	}
	return b.String()
}

// Printable is Clean for a text that is bounded already.
func Printable(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); {
		text, size := printable(s[i:])
		b.WriteString(text)
		i += size
	}
	return b.String()
}

// printable returns how the first character of s is written, and its size in s.
func printable(s string) (text string, size int) {
	r, size := utf8.DecodeRuneInString(s)
	switch {
	case r == utf8.RuneError && size == 1:
		return `\x` + strconv.FormatUint(uint64(s[0])|0x100, 16)[1:], size
	case !strconv.IsPrint(r):
		quoted := strconv.QuoteRune(r)
		return quoted[1 : len(quoted)-1], size
	}
	return s[:size], size
}

// shorten makes room for the mark of a cut and adds it.
func shorten(s string) string {
	for len(s) > MaxLine-len(cut) {
		_, size := utf8.DecodeLastRuneInString(s)
		s = s[:len(s)-size]
	}
	return s + cut
}

// cleanAll cleans at most limit texts and says in one more how many were left
// out.
func cleanAll(texts []string, limit int) []string {
	var out []string
	for i, s := range texts {
		if i == limit {
			return append(out, "and "+strconv.Itoa(len(texts)-limit)+" more")
		}
		out = append(out, Clean(s))
	}
	return out
}
