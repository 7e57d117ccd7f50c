package jsondoc

import (
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// string reads the string that begins at the opening quote.
func (p *jsonParser) string() string {
	p.pos++
	start := p.pos
	var b strings.Builder
	plain := start // everything from here to pos needs no decoding
	for p.pos < len(p.text) {
		switch c := p.text[p.pos]; {
		case c == '"':
			b.WriteString(p.text[plain:p.pos])
			p.pos++
			return b.String()
		case c >= ' ' && c < utf8.RuneSelf && c != '\\':
			p.pos++
			continue
		}
		b.WriteString(p.text[plain:p.pos])
		char, size, err := decodeChar(p.text[p.pos:])
		if err != "" {
			p.fail(err)
			return ""
		}
		b.WriteRune(char)
		p.pos += size
		plain = p.pos
	}
	p.fail("string without closing quote")
	return ""
}

// escapes are the two-character escapes of RFC 8259 section 7.
var escapes = map[byte]rune{
	'"': '"', '\\': '\\', '/': '/', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t',
}

// decodeChar decodes the first character of raw, the inside of a JSON string:
// the character, the bytes it takes, and what is wrong with it.
func decodeChar(raw string) (char rune, size int, err string) {
	switch c := raw[0]; {
	case c == '\\':
		return decodeEscape(raw)
	case c < ' ' && strings.IndexByte("\t\r\n", c) < 0:
		return 0, 0, "control character in a string"
	}
	char, size = utf8.DecodeRuneInString(raw)
	if char == utf8.RuneError && size == 1 {
		return 0, 0, "string that is not UTF-8"
	}
	return char, size, ""
}

func decodeEscape(raw string) (char rune, size int, err string) {
	const bad = "invalid escape in a string"
	if len(raw) < 2 {
		return 0, 0, bad
	}
	if raw[1] != 'u' {
		char, ok := escapes[raw[1]]
		if !ok {
			return 0, 0, bad
		}
		return char, 2, ""
	}
	char, ok := unicodeEscape(raw)
	if !ok {
		return 0, 0, bad
	}
	if !utf16.IsSurrogate(char) {
		return char, 6, ""
	}
	low, _ := unicodeEscape(raw[6:])
	if char = utf16.DecodeRune(char, low); char == utf8.RuneError {
		return 0, 0, bad
	}
	return char, 12, ""
}

// unicodeEscape reads \uXXXX at the beginning of raw.
func unicodeEscape(raw string) (rune, bool) {
	if len(raw) < 6 || raw[:2] != `\u` {
		return 0, false
	}
	n, err := strconv.ParseUint(raw[2:6], 16, 16)
	return rune(n), err == nil
}
