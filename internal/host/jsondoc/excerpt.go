package jsondoc

import (
	"strings"
	"unicode/utf8"
)

// Excerpt is a text and the place it stands in, so that an offset in it can be
// turned into the line and column an editor shows. Text inside text (JSON in a
// JSON string, as stores send it) has the outer text as its parent.
type Excerpt struct {
	Text  string
	Outer *Excerpt
	// At is the offset in Outer where the text begins.
	At int
	// Escaped says that the text was a JSON string of Outer, so that offsets
	// have to be counted through its escapes.
	Escaped bool
}

// root maps an offset to the outermost text and the offset in it.
func (e *Excerpt) root(offset int) (string, int) {
	for e.Outer != nil {
		if e.Escaped {
			offset = skipDecoded(e.Outer.Text[e.At:], offset)
		}
		offset += e.At
		e = e.Outer
	}
	return e.Text, offset
}

// Position returns the line and column of the byte at offset, from 1.
func (e *Excerpt) Position(offset int) (line, column int) {
	text, at := e.root(offset)
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
