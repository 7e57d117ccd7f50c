package answer

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
)

// encoding is how the text of an answer file is stored.
type encoding struct {
	mark  []byte           // byte order mark, nil without one
	order binary.ByteOrder // of UTF-16, else nil
	table *charmap.Charmap // of an encoding with one byte for each character, else nil
}

// declaration finds the encoding that an XML declaration names.
var declaration = regexp.MustCompile(`^(<\?xml\s[^>]*?\bencoding\s*=\s*)(["'])([A-Za-z0-9._-]*)["']`)

// decode returns the text of an answer file. What its first bytes show wins over what it
// declares, as for Windows.
func decode(data []byte) (string, encoding, error) {
	enc := sniff(data)
	body := data[len(enc.mark):]
	if enc.order != nil {
		text, err := fromUTF16(body, enc.order)
		return text, enc, err
	}
	head := body[:min(len(body), 256)]
	if m := declaration.FindSubmatch(head); m != nil && enc.mark == nil {
		switch name := strings.ToLower(string(m[3])); name {
		case "utf-8", "us-ascii", "ascii", "utf-16", "utf8": // UTF-16 it is not, then
		case "windows-1252", "iso-8859-1":
			enc.table = charmap.Windows1252
			text, err := enc.table.NewDecoder().Bytes(body)
			return string(text), enc, err
		default:
			return "", enc, fmt.Errorf("its encoding %q is not known; save it as UTF-8", name)
		}
	}
	if !utf8.Valid(body) {
		return "", enc, errors.New("it is not UTF-8; save it as UTF-8, or declare its encoding")
	}
	return string(body), enc, nil
}

// sniff finds out the encoding by the first bytes.
func sniff(data []byte) encoding {
	for _, e := range []encoding{
		{mark: []byte{0xef, 0xbb, 0xbf}},
		{mark: []byte{0xff, 0xfe}, order: binary.LittleEndian},
		{mark: []byte{0xfe, 0xff}, order: binary.BigEndian},
	} {
		if bytes.HasPrefix(data, e.mark) {
			return e
		}
	}
	switch {
	case bytes.HasPrefix(data, []byte{'<', 0}):
		return encoding{order: binary.LittleEndian}
	case bytes.HasPrefix(data, []byte{0, '<'}):
		return encoding{order: binary.BigEndian}
	}
	return encoding{}
}

func fromUTF16(data []byte, order binary.ByteOrder) (string, error) {
	if len(data)%2 != 0 {
		return "", errors.New("its UTF-16 has an odd number of bytes")
	}
	units := make([]uint16, len(data)/2)
	for i := range units {
		units[i] = order.Uint16(data[2*i:])
	}
	runes := utf16.Decode(units)
	if !bytes.Equal(toUTF16(runes, order), data) {
		return "", errors.New("its UTF-16 is damaged")
	}
	return string(runes), nil
}

func toUTF16(runes []rune, order binary.ByteOrder) []byte {
	units := utf16.Encode(runes)
	out := make([]byte, 2*len(units))
	for i, u := range units {
		order.PutUint16(out[2*i:], u)
	}
	return out
}

// encode is the inverse of decode.
func (e encoding) encode(text string) ([]byte, error) {
	switch {
	case e.order != nil:
		return append(bytes.Clone(e.mark), toUTF16([]rune(text), e.order)...), nil
	case e.table != nil:
		return e.table.NewEncoder().Bytes([]byte(text))
	}
	return append(bytes.Clone(e.mark), text...), nil
}

// declare returns the XML declaration with an encoding that is not another one than e: some
// editors save UTF-8 with the declaration of UTF-16.
func (e encoding) declare(inst string) string {
	m := declaration.FindStringSubmatch("<?xml " + inst)
	if m == nil || e.table != nil {
		return inst
	}
	declared := strings.HasPrefix(strings.ToLower(m[3]), "utf-16")
	if declared == (e.order != nil) {
		return inst
	}
	name := "utf-8"
	if e.order != nil {
		name = "utf-16"
	}
	return strings.Replace(inst, m[2]+m[3]+m[2], m[2]+name+m[2], 1)
}
