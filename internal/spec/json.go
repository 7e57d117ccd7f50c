package spec

import (
	"fmt"
	"strings"
)

// Limits of the JSON we read. The texts come from other systems' users.
const (
	maxJSON      = 32 << 20 // bytes of one text
	maxJSONDepth = 16
	maxJSONNodes = 100_000
)

// kind is the type of a JSON value.
type kind string

const (
	kindString kind = "string"
	kindNumber kind = "number"
	kindBool   kind = "boolean"
	kindNull   kind = "null"
	kindArray  kind = "array"
	kindObject kind = "object"
)

// node is a JSON value that remembers where it stands.
type node struct {
	kind       kind
	text       string // the decoded string, or the literal of a number or boolean
	start, end int    // offsets of the value in its text
	items      []node
	members    []member
}

// member is a name and value of an object.
type member struct {
	name  string
	start int // offset of the name
	value node
}

// syntaxError says where and why a text is not JSON.
type syntaxError struct {
	offset int
	text   string
	rule   error
}

// jsonParser is a recursive descent parser for RFC 8259, with one addition: raw
// line breaks and tabs inside strings are taken as they are (interface-details
// section 3). It never quotes the text in an error, which may be secret.
type jsonParser struct {
	text  string
	pos   int
	nodes int
	err   *syntaxError
}

// parseJSON parses text, which must be one JSON value.
func parseJSON(text string) (node, *syntaxError) {
	p := &jsonParser{text: text}
	if len(text) > maxJSON {
		return node{}, &syntaxError{0, fmt.Sprintf("more than %d MiB", maxJSON>>20), ErrTooLarge}
	}
	n := p.value(0)
	p.space()
	if p.err == nil && p.pos < len(text) {
		p.fail("more text after the end of the JSON value")
	}
	return n, p.err
}

func (p *jsonParser) fail(text string) { p.failRule(text, ErrSyntax) }

func (p *jsonParser) failRule(text string, rule error) {
	if p.err == nil {
		p.err = &syntaxError{p.pos, text, rule}
	}
}

func (p *jsonParser) space() {
	for p.pos < len(p.text) && strings.IndexByte(" \t\r\n", p.text[p.pos]) >= 0 {
		p.pos++
	}
}

// peek returns the next character that is no white space, 0 at the end.
func (p *jsonParser) peek() byte {
	p.space()
	if p.pos == len(p.text) {
		return 0
	}
	return p.text[p.pos]
}

// accept consumes c if it comes next.
func (p *jsonParser) accept(c byte) bool {
	if p.err != nil || p.peek() != c {
		return false
	}
	p.pos++
	return true
}

func (p *jsonParser) value(depth int) node {
	c := p.peek()
	if p.nodes++; depth > maxJSONDepth || p.nodes > maxJSONNodes {
		p.failRule(fmt.Sprintf("more than %d levels or %d values", maxJSONDepth, maxJSONNodes), ErrTooLarge)
		return node{}
	}
	n := node{start: p.pos}
	switch {
	case c == '{':
		n.kind, n.members = kindObject, p.object(depth)
	case c == '[':
		n.kind, n.items = kindArray, p.array(depth)
	case c == '"':
		n.kind, n.text = kindString, p.string()
	case c == '-' || c >= '0' && c <= '9':
		n.kind, n.text = kindNumber, p.number()
	default:
		n.kind, n.text = p.word()
	}
	n.end = p.pos
	return n
}

func (p *jsonParser) object(depth int) []member {
	p.pos++
	var members []member
	if p.accept('}') {
		return nil
	}
	for p.err == nil {
		if p.peek() != '"' {
			p.fail("expected a name in double quotes")
			break
		}
		m := member{start: p.pos}
		m.name = p.string()
		if !p.accept(':') {
			p.fail("expected a colon after the name")
		}
		m.value = p.value(depth + 1)
		members = append(members, m)
		if p.accept('}') {
			break
		}
		if !p.accept(',') {
			p.fail("expected a comma or a closing brace")
		}
	}
	return members
}

func (p *jsonParser) array(depth int) []node {
	p.pos++
	var items []node
	if p.accept(']') {
		return nil
	}
	for p.err == nil {
		items = append(items, p.value(depth+1))
		if p.accept(']') {
			break
		}
		if !p.accept(',') {
			p.fail("expected a comma or a closing bracket")
		}
	}
	return items
}

func (p *jsonParser) word() (kind, string) {
	for _, w := range []struct {
		text string
		kind kind
	}{{"true", kindBool}, {"false", kindBool}, {"null", kindNull}} {
		if strings.HasPrefix(p.text[p.pos:], w.text) {
			p.pos += len(w.text)
			return w.kind, w.text
		}
	}
	p.fail("expected a JSON value")
	return "", ""
}

// number reads a number as in RFC 8259 section 6 and returns its literal.
func (p *jsonParser) number() string {
	start := p.pos
	p.take("-")
	if !p.take("0") && !p.digits() {
		p.fail("expected a digit")
	}
	if p.take(".") && !p.digits() {
		p.fail("expected a digit after the decimal point")
	}
	if p.take("eE") {
		p.take("+-")
		if !p.digits() {
			p.fail("expected a digit in the exponent")
		}
	}
	return p.text[start:p.pos]
}

// take consumes one character of set if it comes next.
func (p *jsonParser) take(set string) bool {
	if p.pos < len(p.text) && strings.IndexByte(set, p.text[p.pos]) >= 0 {
		p.pos++
		return true
	}
	return false
}

func (p *jsonParser) digits() bool {
	start := p.pos
	for p.take("0123456789") {
	}
	return p.pos > start
}
