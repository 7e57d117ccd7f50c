package script

import (
	"encoding/base64"
	"encoding/binary"
	"strings"
	"unicode/utf16"
)

// plain reports whether text consists of printable ASCII characters, which mean the same in
// each code page.
func plain(text string) bool {
	return !strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r > '~' })
}

// special are the characters that mean something to cmd.exe outside of quotes. Quotes are
// among them: escaped, they do not begin a quotation for cmd.exe, so that everything is
// outside of one, and each character can be escaped.
const special = `"^&|<>()!`

// argument returns a text as one argument of a program in a line of a batch file. First it
// is quoted for the C runtime, by which the program finds its arguments; then each character
// that cmd.exe knows is escaped. Percent signs, which cannot be, are doubled.
func argument(text string) string {
	var quoted strings.Builder
	quoted.WriteByte('"')
	backslashes := 0
	for i := range len(text) {
		switch text[i] {
		case '\\':
			backslashes++
		case '"': // those before a quote are doubled, and one more is for the quote
			quoted.WriteString(strings.Repeat(`\`, backslashes+1))
			backslashes = 0
		default:
			backslashes = 0
		}
		quoted.WriteByte(text[i])
	}
	quoted.WriteString(strings.Repeat(`\`, backslashes) + `"`)
	var out strings.Builder
	for _, c := range []byte(quoted.String()) {
		switch {
		case strings.IndexByte(special, c) >= 0:
			out.WriteByte('^')
		case c == '%':
			out.WriteByte('%')
		}
		out.WriteByte(c)
	}
	return out.String()
}

// shell is how a script starts PowerShell.
const shell = `"%SystemRoot%\System32\WindowsPowerShell\v1.0\powershell.exe" -NoProfile -NonInteractive -ExecutionPolicy Bypass`

// encodedCommand returns the line that has PowerShell run a text, which must hold no secret.
func encodedCommand(text string) string { return shell + " -EncodedCommand " + base64Wide(text) }

// base64Wide returns a text in UTF-16 and base64, in which there is nothing to quote:
// PowerShell takes typographic quotation marks for its own.
func base64Wide(text string) string { return base64.StdEncoding.EncodeToString(wide(text)) }

// fromWide is the inverse of base64Wide; it returns "" for what cannot be decoded.
func fromWide(text string) string {
	data, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return ""
	}
	var units []uint16
	for ; len(data) > 1; data = data[2:] {
		units = append(units, binary.LittleEndian.Uint16(data))
	}
	return string(utf16.Decode(units))
}

// wide returns a text in UTF-16, little-endian.
func wide(text string) []byte {
	var out []byte
	for _, u := range utf16.Encode([]rune(text)) {
		out = append(out, byte(u), byte(u>>8))
	}
	return out
}
