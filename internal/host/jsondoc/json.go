// Package jsondoc reads JSON whose every value remembers where it stands, also inside of
// JSON strings that hold JSON, so that an error can name line and column as an editor shows
// them.
//
// The texts come from strangers: their size, depth and number of values are bounded, and no
// error quotes them, for they may hold secrets.
package jsondoc

import (
	"errors"
	"fmt"
	"strings"

	"snf-image/internal/host/problem"
)

// Limits of the JSON we read. The texts come from other systems' users.
const (
	maxJSON      = 32 << 20 // bytes of one text
	maxJSONDepth = 16
	maxJSONNodes = 100_000
)

// Kind is the type of a JSON value.
type Kind string

const (
	String Kind = "string"
	Number Kind = "number"
	Bool   Kind = "boolean"
	Null   Kind = "null"
	Array  Kind = "array"
	Object Kind = "object"
)

// Node is a JSON value that remembers where it stands.
type Node struct {
	Kind       Kind
	Text       string // the decoded string, or the literal of a number or boolean
	Start, End int    // offsets of the value in its text
	Items      []Node
	Members    []Member
}

// Member is a name and value of an object.
type Member struct {
	Name  string
	Start int // offset of the name
	Value Node
}

// ErrSyntax is the rule of everything that is not JSON.
var ErrSyntax = errors.New("JSON syntax")

// SyntaxError says where and why a text is not JSON.
type SyntaxError struct {
	Offset int
	Text   string
	Rule   error
}

// jsonParser is a recursive descent parser for RFC 8259, with one addition: raw
// line breaks and tabs inside strings are taken as they are. It never quotes the text in an
// error, which may be secret.
type jsonParser struct {
	text  string
	pos   int
	nodes int
	err   *SyntaxError
}

// Parse parses text, which must be one JSON value.
func Parse(text string) (Node, *SyntaxError) {
	p := &jsonParser{text: text}
	if len(text) > maxJSON {
		return Node{}, &SyntaxError{0, fmt.Sprintf("more than %d MiB", maxJSON>>20), problem.ErrTooLarge}
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
		p.err = &SyntaxError{p.pos, text, rule}
	}
}

func (p *jsonParser) space() {
	for p.pos < len(p.text) && strings.IndexByte(" \t\r\n", p.text[p.pos]) >= 0 {
		p.pos++
	}
}

// peek returns the next character that is not white space, 0 at the end.
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

func (p *jsonParser) value(depth int) Node {
	c := p.peek()
	if p.nodes++; depth > maxJSONDepth || p.nodes > maxJSONNodes {
		p.failRule(fmt.Sprintf("more than %d levels or %d values", maxJSONDepth, maxJSONNodes), problem.ErrTooLarge)
		return Node{}
	}
	n := Node{Start: p.pos}
	switch {
	case c == '{':
		n.Kind, n.Members = Object, p.object(depth)
	case c == '[':
		n.Kind, n.Items = Array, p.array(depth)
	case c == '"':
		n.Kind, n.Text = String, p.string()
	case c == '-' || c >= '0' && c <= '9':
		n.Kind, n.Text = Number, p.number()
	default:
		n.Kind, n.Text = p.word()
	}
	n.End = p.pos
	return n
}

func (p *jsonParser) object(depth int) []Member {
	p.pos++
	var members []Member
	if p.accept('}') {
		return nil
	}
	for p.err == nil {
		if p.peek() != '"' {
			p.fail("expected a name in double quotes")
			break
		}
		m := Member{Start: p.pos}
		m.Name = p.string()
		if !p.accept(':') {
			p.fail("expected a colon after the name")
		}
		m.Value = p.value(depth + 1)
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

func (p *jsonParser) array(depth int) []Node {
	p.pos++
	var items []Node
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

func (p *jsonParser) word() (Kind, string) {
	for _, w := range []struct {
		text string
		kind Kind
	}{{"true", Bool}, {"false", Bool}, {"null", Null}} {
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
