package etc

import "strings"

// Directive is one line of sshd_config(5).
type Directive struct {
	Keyword string // in lower case
	Args    []string
	Line    int // in its file, from 1
	// Conditional is set for what follows a Match line.
	Conditional bool
}

// ParseSSHD returns the directives of an sshd_config file in order. Keywords
// count in any case, may be followed by "=", and arguments may be quoted;
// comments start with "#" at the beginning of a line or after white space.
func ParseSSHD(data []byte) []Directive {
	var out []Directive
	conditional := false
	number := 0
	for line := range strings.Lines(string(data)) {
		number++
		words := sshdWords(line)
		if len(words) == 0 {
			continue
		}
		d := Directive{Keyword: strings.ToLower(words[0]), Args: words[1:], Line: number, Conditional: conditional}
		if d.Keyword == "match" {
			conditional = true
		}
		out = append(out, d)
	}
	return out
}

// sshdWords splits a line into words. The first ends at white space or "=".
func sshdWords(line string) []string {
	text, _ := CutEnd(line)
	text = strings.TrimLeft(text, " \t\f")
	if text == "" || text[0] == '#' {
		return nil
	}
	end := strings.IndexAny(text, " \t=")
	if end < 0 {
		return []string{text}
	}
	rest := strings.TrimLeft(text[end:], " \t")
	rest = strings.TrimPrefix(rest, "=")
	return append([]string{text[:end]}, quotedWords(rest)...)
}

// quotedWords splits at white space outside of quotes, up to a comment.
func quotedWords(s string) []string {
	var words []string
	for {
		s = strings.TrimLeft(s, " \t")
		if s == "" || s[0] == '#' {
			return words
		}
		var word strings.Builder
		var open byte
		i := 0
		for ; i < len(s); i++ {
			c := s[i]
			if open == 0 && (c == ' ' || c == '\t') {
				break
			}
			switch {
			case open == 0 && (c == '"' || c == '\''):
				open = c
			case open != 0 && c == open:
				open = 0
			case c == '\\' && i+1 < len(s) && strings.IndexByte(`"'\`, s[i+1]) >= 0:
				i++
				word.WriteByte(s[i])
			default:
				word.WriteByte(c)
			}
		}
		words = append(words, word.String())
		s = s[i:]
	}
}
