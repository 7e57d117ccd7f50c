package spec

import (
	"strings"
	"unicode/utf8"
)

// source is a text and the place it stands in, so that an offset in it can be
// turned into the line and column an editor shows. Text inside text (JSON in a
// JSON string, as stores send it) has the outer text as its parent.
type source struct {
	text  string
	outer *source
	// at is the offset in outer where the text begins.
	at int
	// escaped says that the text was a JSON string of outer, so that offsets
	// have to be counted through its escapes.
	escaped bool
}

// root maps an offset to the outermost text and the offset in it.
func (s *source) root(offset int) (string, int) {
	for s.outer != nil {
		if s.escaped {
			offset = skipDecoded(s.outer.text[s.at:], offset)
		}
		offset += s.at
		s = s.outer
	}
	return s.text, offset
}

// position returns the line and column of the byte at offset, from 1.
func (s *source) position(offset int) (line, column int) {
	text, at := s.root(offset)
	before := text[:min(at, len(text))]
	line = 1 + strings.Count(before, "\n")
	return line, 1 + utf8.RuneCountInString(before[strings.LastIndexByte(before, '\n')+1:])
}

// skipDecoded returns how many bytes of the inside of a JSON string make up its
// first n decoded bytes.
func skipDecoded(raw string, n int) int {
	pos := 0
	for n > 0 && pos < len(raw) {
		char, size, err := decodeChar(raw[pos:])
		if err != "" {
			return pos
		}
		pos += size
		n -= utf8.RuneLen(char)
	}
	return pos
}
