package answer

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/beevik/etree"
)

// file is an answer file as a tree, with what its bytes looked like.
type file struct {
	doc      *etree.Document
	encoding encoding
	crlf     bool
}

// parse reads an answer file.
func parse(data []byte) (*file, error) {
	if len(data) > Size {
		return nil, fmt.Errorf("%w: it has %d bytes, more than %d", ErrRefused, len(data), Size)
	}
	text, enc, err := decode(data)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrRefused, err)
	}
	f := &file{doc: etree.NewDocument(), encoding: enc, crlf: strings.Contains(text, "\r\n")}
	f.doc.ReadSettings = etree.ReadSettings{
		PreserveCData: true, PreserveDuplicateAttrs: true, MaxDepth: maxDepth,
		CharsetReader: func(_ string, in io.Reader) (io.Reader, error) { return in, nil }, // it is decoded
	}
	if err := f.doc.ReadFromString(text); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrRefused, err)
	}
	if err := f.check(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrRefused, err)
	}
	return f, nil
}

// check refuses what a strict reader would, and what is not an answer file.
func (f *file) check() error {
	roots := 0
	for i, t := range f.doc.Child {
		switch t := t.(type) {
		case *etree.Directive:
			return errors.New("it has a document type declaration, which answer files do not need; remove it")
		case *etree.Element:
			roots++
		case *etree.CharData:
			if !isSpace(t) {
				return errors.New("it has text outside of its root element")
			}
		case *etree.ProcInst:
			if t.Target == "xml" && i > 0 {
				return errors.New("something stands before its XML declaration")
			}
		}
	}
	if roots != 1 {
		return fmt.Errorf("it has %d root elements", roots)
	}
	root := f.doc.Root()
	if root.Tag != "unattend" || root.NamespaceURI() != unattend {
		return fmt.Errorf("its root element is %q of namespace %q, not unattend of %q", root.Tag, root.NamespaceURI(), unattend)
	}
	return checkElement(root)
}

// checkElement refuses attributes given twice and prefixes that nothing declares.
func checkElement(e *etree.Element) error {
	if len(e.Attr) > maxAttrs {
		return fmt.Errorf("%s has %d attributes, more than %d", e.FullTag(), len(e.Attr), maxAttrs)
	}
	if e.Space != "" && declared(e, e.Space) == "" {
		return fmt.Errorf("nothing declares the prefix of %s", e.FullTag())
	}
	seen := map[string]bool{}
	for _, a := range e.Attr {
		if a.Space != "" && a.Space != "xmlns" && declared(e, a.Space) == "" {
			return fmt.Errorf("nothing declares the prefix of %s in %s", a.FullKey(), e.FullTag())
		}
		if seen[a.FullKey()] {
			return fmt.Errorf("%s has the attribute %s twice", e.FullTag(), a.FullKey())
		}
		seen[a.FullKey()] = true
	}
	for _, t := range e.Child {
		switch t := t.(type) {
		case *etree.Directive:
			return fmt.Errorf("%s holds a directive", e.FullTag())
		case *etree.ProcInst:
			if strings.EqualFold(t.Target, "xml") {
				return fmt.Errorf("%s holds an XML declaration", e.FullTag())
			}
		case *etree.Element:
			if err := checkElement(t); err != nil {
				return err
			}
		}
	}
	return nil
}

// bytes returns the answer file in its encoding, with its line ends.
func (f *file) bytes() ([]byte, error) {
	for _, t := range f.doc.Child {
		if p, ok := t.(*etree.ProcInst); ok && p.Target == "xml" {
			p.Inst = f.encoding.declare(p.Inst)
		}
	}
	text, err := f.doc.WriteToString()
	if err != nil {
		return nil, err
	}
	if f.crlf {
		text = strings.ReplaceAll(text, "\n", "\r\n")
	}
	return f.encoding.encode(text)
}
