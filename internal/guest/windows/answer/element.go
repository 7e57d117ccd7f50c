package answer

import (
	"strings"

	"github.com/beevik/etree"
)

// component returns the first component of that name in the pass specialize, which is made
// where there is none.
func (d *draft) component(name string) *etree.Element {
	if found := components(d.root, "specialize", name, d.arch); len(found) > 0 {
		return found[0]
	}
	var pass *etree.Element
	if found := settings(d.root, "specialize"); len(found) > 0 {
		pass = found[0]
	} else {
		pass = d.child(d.root, "settings")
		pass.CreateAttr("pass", "specialize")
	}
	c := d.child(pass, "component")
	c.CreateAttr("name", name)
	c.CreateAttr("processorArchitecture", d.arch)
	c.CreateAttr("publicKeyToken", "31bf3856ad364e35")
	c.CreateAttr("language", "neutral")
	c.CreateAttr("versionScope", "nonSxS")
	return c
}

// prefix returns the prefix of the namespace wcm in e, which declares it if nothing does.
func (d *draft) prefix(e *etree.Element) string {
	for at := e; at != nil; at = at.Parent() {
		for _, a := range at.Attr {
			if a.Space == "xmlns" && a.Value == wcm && declared(e, a.Key) == wcm {
				return a.Key
			}
		}
	}
	e.CreateAttr("xmlns:wcm", wcm)
	return "wcm"
}

// declared returns the namespace that a prefix stands for where e is.
func declared(e *etree.Element, prefix string) string {
	if prefix == "xml" {
		return "http://www.w3.org/XML/1998/namespace"
	}
	for at := e; at != nil; at = at.Parent() {
		for _, a := range at.Attr {
			if a.Space == "xmlns" && a.Key == prefix {
				return a.Value
			}
		}
	}
	return ""
}

// child adds an element to the end of parent, on a line of its own where parent's other
// children have lines of their own, with the prefix that parent has.
func (d *draft) child(parent *etree.Element, name string) *etree.Element {
	d.changed = true
	e := etree.NewElement(name)
	e.Space = parent.Space
	inner, outer := d.indents(parent)
	if n := len(parent.Child); n > 0 && isSpace(parent.Child[n-1]) {
		parent.RemoveChildAt(n - 1)
	}
	parent.CreateText(inner)
	parent.AddChild(e)
	parent.CreateText(outer)
	return e
}

// indents returns what stands in front of a child of e, and of the end of e.
func (d *draft) indents(e *etree.Element) (inner, outer string) {
	unit := "    "
	if len(d.root.Child) > 0 && isSpace(d.root.Child[0]) {
		if step := lastLine(d.root.Child[0]); step != "" && len(step) <= 8 {
			unit = step
		}
	}
	depth := 0
	for at := e; at != d.root; at = at.Parent() {
		depth++
	}
	outer = "\n" + strings.Repeat(unit, depth)
	if n := len(e.Child); n > 0 && isSpace(e.Child[n-1]) && strings.Contains(e.Child[n-1].(*etree.CharData).Data, "\n") {
		outer = "\n" + lastLine(e.Child[n-1])
	}
	return outer + unit, outer
}

func isSpace(t etree.Token) bool {
	c, ok := t.(*etree.CharData)
	return ok && !c.IsCData() && strings.TrimSpace(c.Data) == ""
}

// lastLine returns what follows the last line end of white space.
func lastLine(t etree.Token) string {
	data := t.(*etree.CharData).Data
	return data[strings.LastIndex(data, "\n")+1:]
}
