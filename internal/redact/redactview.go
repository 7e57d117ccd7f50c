package redact

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// view is a text after a decoding. Byte i of it was made of the original's bytes
// from[i] up to to[i].
type view struct {
	text     []byte
	from, to []int
}

func plainView(text string) view {
	v := view{text: []byte(text)}
	for i := range len(text) {
		v.from, v.to = append(v.from, i), append(v.to, i+1)
	}
	return v
}

// put adds decoded bytes that were made of bytes i up to j of another view.
func (v *view) put(of view, i, j int, decoded ...byte) {
	for _, b := range decoded {
		v.text, v.from, v.to = append(v.text, b), append(v.from, of.from[i]), append(v.to, of.to[j-1])
	}
}

// gap keeps what lies before it from going on behind it.
func (v *view) gap() {
	if n := len(v.text); n > 0 && v.text[n-1] != 0 {
		v.text, v.from, v.to = append(v.text, 0), append(v.from, v.to[n-1]), append(v.to, v.to[n-1])
	}
}

// decodings returns the views in which an encoded secret is plain: those that differ
// from v. Digits may begin anywhere in what looks like a run of them.
func decodings(v view) []view {
	all := []view{withoutQuotes(v), withoutEscapes(v), percentDecoded(v, false), percentDecoded(v, true)}
	for offset := range 4 {
		all = append(all, digits(v, base64Digit, 6, offset))
	}
	for offset := range 2 {
		all = append(all, digits(v, hexDigit, 4, offset))
	}
	var out []view
	for _, d := range all {
		if len(d.text) >= minSecret && string(d.text) != string(v.text) {
			out = append(out, d)
		}
	}
	return out
}

const quotes = `'"\`

// unquote takes away what a shell quotes with.
func unquote(s string) string {
	return strings.Map(func(r rune) rune {
		if strings.ContainsRune(quotes, r) {
			return -1
		}
		return r
	}, s)
}

func withoutQuotes(v view) (out view) {
	for i, b := range v.text {
		if strings.IndexByte(quotes, b) < 0 {
			out.put(v, i, i+1, b)
		}
	}
	return out
}

// withoutEscapes undoes backslashes as in C, the shell's $'…' and JSON.
func withoutEscapes(v view) (out view) {
	for i := 0; i < len(v.text); {
		decoded, n := escape(v.text[i:])
		out.put(v, i, i+n, decoded...)
		i += n
	}
	return out
}

// escape decodes what b begins with, and how many bytes that are.
func escape(b []byte) (decoded []byte, n int) {
	if b[0] != '\\' || len(b) < 2 {
		return b[:1], 1
	}
	if i := strings.IndexByte("abtnvfreE", b[1]); i >= 0 {
		return []byte{"\a\b\t\n\v\f\r\x1b\x1b"[i]}, 2
	}
	switch c := b[1]; {
	case c == 'x':
		return number(b, 2, 2, 16)
	case c >= '0' && c <= '7':
		return number(b, 1, 3, 8)
	case c == 'u' || c == 'U':
		decoded, n = number(b, 2, map[byte]int{'u': 4, 'U': 8}[c], 16)
		if low, m := surrogate(b[n:]); n == 6 && m > 0 {
			high, _ := strconv.ParseUint(string(b[2:6]), 16, 32)
			if high >= 0xd800 && high < 0xdc00 {
				return utf8.AppendRune(nil, rune(high-0xd800)<<10+low-0xdc00+0x10000), n + m
			}
		}
		return decoded, n
	}
	return b[1:2], 2
}

// surrogate returns the second half of a character in JSON, if b begins with one.
func surrogate(b []byte) (rune, int) {
	if len(b) < 6 || b[0] != '\\' || b[1] != 'u' {
		return 0, 0
	}
	n, err := strconv.ParseUint(string(b[2:6]), 16, 32)
	if err != nil || n < 0xdc00 || n > 0xdfff {
		return 0, 0
	}
	return rune(n), 6
}

// number decodes up to most digits from b[start] on: a byte, or a character where
// there may be four digits or more.
func number(b []byte, start, most, base int) ([]byte, int) {
	end := start
	for end < len(b) && end < start+most && isDigit(b[end], base) {
		end++
	}
	n, err := strconv.ParseUint(string(b[start:end]), base, 32)
	switch {
	case err != nil:
		return b[:1], 1
	case most >= 4:
		return utf8.AppendRune(nil, rune(n)), end
	}
	return []byte{byte(n)}, end
}

func isDigit(c byte, base int) bool {
	n := hexDigit(c)
	return n >= 0 && n < base
}

// percentDecoded undoes the escapes of URLs, and those of forms with plus.
func percentDecoded(v view, plus bool) (out view) {
	for i := 0; i < len(v.text); i++ {
		b := v.text[i]
		if b == '%' && i+2 < len(v.text) && hexDigit(v.text[i+1]) >= 0 && hexDigit(v.text[i+2]) >= 0 {
			out.put(v, i, i+3, byte(hexDigit(v.text[i+1])<<4|hexDigit(v.text[i+2])))
			i += 2
			continue
		}
		if plus && b == '+' {
			b = ' '
		}
		out.put(v, i, i+1, b)
	}
	return out
}

// What may lie between digits: line ends, and what dumps put there.
const (
	separators    = "\n\r"
	hexSeparators = separators + " :,"
)

// digits decodes runs of digits of that many bits, from the digit offset of each run
// on.
func digits(v view, digit func(byte) int, bits, offset int) (out view) {
	between := separators
	if bits == 4 {
		between = hexSeparators
	}
	skip, have, value, first := offset, 0, 0, 0
	for i, b := range v.text {
		n := digit(b)
		switch {
		case n < 0 && strings.IndexByte(between, b) >= 0:
		case n < 0:
			skip, have, value = offset, 0, 0
			out.gap()
		case skip > 0:
			skip--
		default:
			if have == 0 {
				first = i
			}
			value, have = value<<bits|n, have+bits
			if have >= 8 {
				have -= 8
				out.put(v, first, i+1, byte(value>>have))
				value &= 1<<have - 1
				first = i
			}
		}
	}
	return out
}

func base64Digit(c byte) int {
	switch {
	case c >= 'A' && c <= 'Z':
		return int(c - 'A')
	case c >= 'a' && c <= 'z':
		return int(c-'a') + 26
	case c >= '0' && c <= '9':
		return int(c-'0') + 52
	case c == '+' || c == '-':
		return 62
	case c == '/' || c == '_':
		return 63
	}
	return -1
}

func hexDigit(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c >= 'a' && c <= 'f':
		return int(c-'a') + 10
	case c >= 'A' && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}
