// Package answer completes the answer files of Windows Setup (unattend.xml): computer
// name, product key, and the commands that run in the pass specialize.
//
// It is pure, from old bytes to new bytes. What an answer file holds stays as it is:
// elements, their order, comments, CDATA sections, encoding and line ends. A document type
// declaration is refused, so that no entity is resolved, and size and depth are bounded.
package answer

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/beevik/etree"
)

// Size is the most bytes an answer file has.
const Size = 1 << 20

const (
	maxDepth = 64
	maxAttrs = 32  // of one element: each prefix is looked up in those of all above it
	maxOrder = 500 // the documented range of Order
)

// Namespaces of answer files.
const (
	unattend = "urn:schemas-microsoft-com:unattend"
	wcm      = "http://schemas.microsoft.com/WMIConfig/2002/State"
)

// Components that are completed.
const (
	shellSetup = "Microsoft-Windows-Shell-Setup"
	deployment = "Microsoft-Windows-Deployment"
)

// ErrRefused is an answer file that is not one, or one that this package does not touch.
var ErrRefused = errors.New("unusable answer file")

// Completion is what an answer file has to say.
type Completion struct {
	// Architecture is the processorArchitecture of the system: components of others do
	// not count.
	Architecture string
	// ComputerName and ProductKey are set unless they are empty.
	ComputerName, ProductKey string
	// RefuseRemote has what allows remote desktop connections refuse them: they would be open
	// before the set-up is complete.
	RefuseRemote bool
	// Commands run in the pass specialize, after those that are there.
	Commands []Command
}

// Command is a command of the pass specialize.
type Command struct {
	Path, Description string
	// Script is the file that it is about: a command of the answer file that names it, in
	// any case, takes the place of this one.
	Script string
}

// Complete returns the answer file with what c has. The bytes of one that has all of it stay
// the same.
func Complete(data []byte, c Completion) ([]byte, error) {
	if err := checkArchitecture(c.Architecture); err != nil {
		return nil, err
	}
	f, err := parse(data)
	if err != nil {
		return nil, err
	}
	d := draft{root: f.doc.Root(), arch: c.Architecture}
	d.set("ComputerName", c.ComputerName)
	d.set("ProductKey", c.ProductKey)
	if c.RefuseRemote {
		d.refuseRemote()
	}
	for _, command := range c.Commands {
		if err := d.run(command); err != nil {
			return nil, err
		}
	}
	if !d.changed {
		return data, nil
	}
	return f.bytes()
}

// draft is an answer file that is being completed.
type draft struct {
	root    *etree.Element
	arch    string
	changed bool
}

// set has each component that names the value say it, or else the first one.
func (d *draft) set(name, value string) {
	if value == "" {
		return
	}
	var there []*etree.Element
	for _, c := range components(d.root, "specialize", shellSetup, d.arch) {
		there = append(there, children(c, name)...)
	}
	if len(there) == 0 {
		there = append(there, d.child(d.component(shellSetup), name))
	}
	for _, e := range there {
		d.say(e, value)
	}
}

// say has an element hold a text and nothing else.
func (d *draft) say(e *etree.Element, value string) {
	if e.Text() != value || len(e.ChildElements()) > 0 {
		e.Child = nil
		e.SetText(value)
		d.changed = true
	}
}

// run adds a command, unless one that is there is about its script.
func (d *draft) run(c Command) error {
	own := components(d.root, "specialize", deployment, d.arch)
	last := 0
	for _, component := range own {
		for _, list := range children(component, "RunSynchronous") {
			last = max(last, highest(list))
		}
	}
	if names(d.root, d.arch, c.Script) {
		return nil
	}
	if last >= maxOrder {
		return fmt.Errorf("%w: the order numbers of its commands reach %d, none is left for %s", ErrRefused, last, c.Script)
	}
	component := d.component(deployment)
	var list *etree.Element
	if lists := children(component, "RunSynchronous"); len(lists) > 0 {
		list = lists[0]
	} else {
		list = d.child(component, "RunSynchronous")
	}
	entry := d.child(list, "RunSynchronousCommand")
	entry.CreateAttr(d.prefix(component)+":action", "add")
	d.child(entry, "Description").SetText(c.Description)
	d.child(entry, "Order").SetText(strconv.Itoa(last + 1))
	d.child(entry, "Path").SetText(c.Path)
	return nil
}

// highest returns the highest order number in a list of commands.
func highest(list *etree.Element) int {
	last := 0
	for _, entry := range list.ChildElements() {
		for _, e := range children(entry, "Order") {
			if n, err := strconv.Atoi(strings.TrimSpace(e.Text())); err == nil {
				last = max(last, n)
			}
		}
	}
	return last
}

// names reports whether a command of the pass specialize is about the script.
func names(root *etree.Element, arch, script string) bool {
	script = strings.ToLower(script)
	for _, component := range components(root, "specialize", "", arch) {
		for _, e := range component.FindElements(".//Path") {
			if e.NamespaceURI() == unattend && strings.Contains(strings.ToLower(e.Text()), script) {
				return true
			}
		}
	}
	return false
}

// components returns the components of that name, of any for "", that count in a pass.
func components(root *etree.Element, pass, name, arch string) []*etree.Element {
	var out []*etree.Element
	for _, s := range settings(root, pass) {
		for _, c := range children(s, "component") {
			if strings.EqualFold(c.SelectAttrValue("processorArchitecture", ""), arch) &&
				(name == "" || strings.EqualFold(c.SelectAttrValue("name", ""), name)) {
				out = append(out, c)
			}
		}
	}
	return out
}

// settings returns what is set in a pass.
func settings(root *etree.Element, pass string) []*etree.Element {
	return slices.DeleteFunc(children(root, "settings"), func(e *etree.Element) bool {
		return !strings.EqualFold(e.SelectAttrValue("pass", ""), pass)
	})
}

// children returns the elements of that name in e.
func children(e *etree.Element, name string) []*etree.Element {
	return slices.DeleteFunc(e.ChildElements(), func(c *etree.Element) bool {
		return c.Tag != name || c.NamespaceURI() != unattend
	})
}
