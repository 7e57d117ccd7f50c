// Package builder makes the Spec of a deployment from its parameters, properties and flags.
// It collects the values with their origin, merges them, and validates them as a whole: every
// problem is found at once.
//
// It is pure: nothing here opens a file or looks at the node.
//
// It is a little large because each property and each parameter has its check here.
package builder

import (
	"fmt"
	"slices"
	"strings"

	"snf-image/internal/host/problem"
	"snf-image/internal/host/values"
	"snf-image/internal/spec"
)

// Input is what a deployment needs beside its parameters.
type Input struct {
	Mode spec.Mode
	Name string // instance name
	// Only becomes Spec.Only.
	Only []string
	// Asked, NewIdentity and Grow become those of the Spec.
	Asked       bool `json:",omitempty"`
	NewIdentity bool `json:",omitempty"`
	Grow        bool `json:",omitempty"`
	// Firmware becomes that of the Spec.
	Firmware string `json:",omitempty"`
	// NameOrigin, DiskOrigin and NICOrigin are shown in problems: a flag or an
	// environment variable.
	NameOrigin, DiskOrigin, NICOrigin problem.Origin

	Disks []spec.Disk
	// Size is the text of --size, for the first disk; empty when not given.
	Size string
	// DiskFormat is the text of --disk-format, for the disk files; empty when not given.
	DiskFormat string `json:",omitempty"`
	// NICs are complete NICs, NICFlags the texts of --nic; they come after NICs.
	NICs     []spec.NIC
	NICFlags []string
	// DefaultNIC says that without any NIC there is one of which nothing is known.
	DefaultNIC bool `json:",omitempty"`
	// ImagePaths says that img_id may be a path of the node, as on the plain command
	// line. Even so, one that a URL delivered may not.
	ImagePaths bool `json:",omitempty"`
	// DefaultFormat is used when nothing sets img_format; empty makes img_format
	// required by ModeDeploy and ModeCheck.
	DefaultFormat spec.Format
}

// builder makes one Spec and collects what is wrong with it.
type builder struct {
	*Parameters
	in    Input
	spec  *spec.Spec
	props map[string]property
}

// Build validates the parameters and the input as a whole. It returns every
// problem at once, with those p collected so far; the Spec is nil when one of
// them is an error. With ModeCheck the parameters are all there is: name, disks and
// NICs are not looked at.
func Build(p *Parameters, in Input) (*spec.Spec, problem.List) {
	own := *p
	own.problems = slices.Clone(p.problems)
	b := &builder{Parameters: &own, in: in, spec: &spec.Spec{
		Mode: in.Mode, Only: in.Only, Asked: in.Asked, NewIdentity: in.NewIdentity, Grow: in.Grow, Firmware: in.Firmware,
	}}
	for _, p := range spec.AllParameters() {
		if own.Fetched(p.Name) {
			b.spec.Fetched = append(b.spec.Fetched, p.Name)
		}
	}
	b.buildImage()
	b.buildProperties()
	b.buildScope()
	b.buildDisks()
	b.buildNICs()
	b.checkProperties()
	b.buildName()
	b.buildLogin()
	b.buildPersonality()
	b.buildWindows()
	b.buildCloud()
	b.checkAsked()
	if b.problems.Err() != nil {
		return nil, b.problems
	}
	return b.spec, b.problems
}

// report adds a problem with the value of a parameter.
func (b *builder) report(s problem.Severity, rule error, name, message, remedy string) {
	v := b.values[name]
	p := problem.Problem{Severity: s, Origin: v.origin, Path: name, Message: message, Remedy: remedy, Rule: rule}
	if v.src != nil && v.src.Outer != nil {
		p.Line, p.Column = v.src.Position(0)
	}
	b.Report(p)
}

// text returns the value of a parameter without the white space around it.
func (b *builder) text(name string) (string, bool) {
	v, ok := b.values[name]
	text := strings.TrimSpace(v.text.Reveal())
	if ok && len(text) > maxTextValue && name != spec.CloudUserdata {
		b.report(problem.Error, problem.ErrTooLarge, name, fmt.Sprintf("more than %d KiB", maxTextValue>>10), "")
	}
	return text, ok
}

// maxTextValue bounds a parameter that is not JSON, in bytes.
const maxTextValue = 64 << 10

// buildName sets Name. It must be there when it is going to be written.
func (b *builder) buildName() {
	b.spec.Name = b.in.Name
	report := func(message, remedy string, rule error) {
		b.Report(problem.Problem{Severity: problem.Error, Origin: b.in.NameOrigin, Message: message, Remedy: remedy, Rule: rule})
	}
	_, excluded := b.spec.Exclusions()[spec.AssignHostname]
	if b.in.Name == "" {
		if b.in.Mode == spec.ModeDeploy && !excluded && !b.spec.ExcludeAll() {
			report("no instance name is given", "name the machine with --name", ErrRequired)
		}
		return
	}
	if err := values.CheckHostname(b.in.Name); err != nil && !excluded {
		report(err.Error(), "", values.ErrHostname)
	}
}
