package builder

import (
	"fmt"
	"io"
	"strings"

	"snf-image/internal/host/jsondoc"
	"snf-image/internal/host/problem"
	"snf-image/internal/spec"
)

// value is the raw text of a parameter.
type value struct {
	text   spec.Secret
	origin problem.Origin
	// src places the text in its file; nil when the text came by itself.
	src *jsondoc.Excerpt
	// fetched says that a URL delivered the value.
	fetched bool
	// hint says that the value only describes the machine and asks for nothing.
	hint bool
}

// source returns where the text of v stands.
func (v value) source() *jsondoc.Excerpt {
	if v.src != nil {
		return v.src
	}
	return &jsondoc.Excerpt{Text: v.text.Reveal()}
}

// property is a property given by itself, as with --property.
type property struct {
	name   string
	text   string
	origin problem.Origin
	src    *jsondoc.Excerpt
	path   string
	hint   bool // see value
}

// injected is a file given by itself, as with --file.
type injected struct {
	file   spec.File
	origin problem.Origin
}

// Parameters collects raw values from the sources in the order of their
// precedence: what is set later wins. A value that is set but empty is not the
// same as one that is not set. The zero value is empty and ready to use.
type Parameters struct {
	values     map[string]value
	properties []property
	known      []property // what is known about the image, weaker than img_properties
	files      []injected
	problems   problem.List
	fetching   bool // what is set now is from a URL
}

// Format writes a placeholder whatever the verb is: fmt would reach into the
// unexported fields past the methods of Secret.
func (Parameters) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "[parameters]") }

// Set gives the parameter name, in any case, a value. Unknown names become a
// warning of Build.
func (p *Parameters) Set(name, text string, origin problem.Origin) {
	p.set(name, value{text: spec.Secret(text), origin: origin})
}

// SetHint is Set for a value of the node's configuration that is there for new
// machines: on a living one it only tells how to do what is asked for.
func (p *Parameters) SetHint(name, text string, origin problem.Origin) {
	p.set(name, value{text: spec.Secret(text), origin: origin, hint: true})
}

func (p *Parameters) set(name string, v value) {
	name = strings.ToLower(name)
	if !spec.IsParameter(name) {
		p.Report(problem.Problem{
			Severity: problem.Warning, Origin: v.origin, Rule: ErrUnknownParameter,
			Message: "unknown parameter " + problem.Quote(name) + " is ignored", Remedy: problem.DidYouMean(name, spec.ParameterNames()),
		})
		return
	}
	if p.values == nil {
		p.values = map[string]value{}
	}
	v.fetched = v.fetched || p.fetching
	p.values[name] = v
}

// SetProperty gives one property a value that wins over those in
// img_properties and inst_properties.
func (p *Parameters) SetProperty(name, text string, origin problem.Origin) {
	p.properties = append(p.properties, property{name: strings.ToUpper(name), text: text, origin: origin, path: name})
}

// Resolve replaces img_id, whose origin stays, by what it stands for, and gives img_format a
// value where nothing else does.
func (p *Parameters) Resolve(id, format string, origin problem.Origin) {
	v := p.values[spec.ImgID]
	v.text, v.src = spec.Secret(id), nil
	p.values[spec.ImgID] = v
	if _, ok := p.values[spec.ImgFormat]; !ok && format != "" {
		p.Set(spec.ImgFormat, format, origin)
	}
}

// AddImageProperty adds what is known about the image from elsewhere. Properties of any
// parameter win over it.
func (p *Parameters) AddImageProperty(name, text string, origin problem.Origin) {
	p.known = append(p.known, property{name: strings.ToUpper(name), text: text, origin: origin, path: name})
}

// AddFile adds a file to those of img_personality. A later file wins over an
// earlier one with the same path.
func (p *Parameters) AddFile(f spec.File, origin problem.Origin) {
	p.files = append(p.files, injected{f, origin})
}

// maxProblems bounds how many problems are reported. Finding the line of one in
// a large text takes a while, and the text may be made to have many.
const maxProblems = 100

// Report adds a problem found outside, so that Build returns it with its own.
// The last one there is room for is always an error that says so.
func (p *Parameters) Report(found problem.Problem) {
	switch {
	case p.full():
	case len(p.problems) == maxProblems-1:
		p.problems = append(p.problems, problem.Problem{
			Severity: problem.Error, Rule: problem.ErrTooLarge,
			Message: fmt.Sprintf("more than %d problems, the others are not shown", maxProblems-1),
		})
	default:
		p.problems = append(p.problems, found)
	}
}

// full says that looking for more problems is of no use.
func (p *Parameters) full() bool { return len(p.problems) == maxProblems }

// Lookup returns the value of a parameter and whether it is set.
func (p *Parameters) Lookup(name string) (spec.Secret, bool) {
	v, ok := p.values[name]
	return v.text, ok
}

// Fetched reports whether the value of a parameter was delivered by a URL. Such a
// value is trusted less than one of the command line or of Ganeti.
func (p *Parameters) Fetched(name string) bool { return p.values[name].fetched }
