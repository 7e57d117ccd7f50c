package config

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"snf-image/internal/host/problem"
	"snf-image/internal/host/shellfile"
	"snf-image/internal/spec"
)

// Rules of configuration files.
var (
	ErrValue   = errors.New("bad configuration value")
	ErrUnknown = errors.New("unknown configuration name")
	ErrNotUsed = errors.New("configuration name without effect")
)

// assignment is the value of a name and where it was set.
type assignment struct {
	value  string
	origin problem.Origin
	line   int
	column int
}

// reader collects the assignments of several files; the last one wins.
type reader struct {
	settings []Setting
	values   map[string]assignment
	order    []string // names in the order they were first set
	problems problem.List
}

func newReader() *reader {
	return &reader{settings: Settings(), values: map[string]assignment{}}
}

// problem adds a finding about name at a.
func (r *reader) problem(s problem.Severity, a assignment, name, message string, rule error) {
	r.problems = append(r.problems, problem.Problem{
		Severity: s, Origin: a.origin, Path: name,
		Line: a.line, Column: a.column, Message: message, Rule: rule,
	})
}

// read adds the assignments of one file.
func (r *reader) read(path string, data []byte) {
	file := shellfile.Reader{Value: r.value, Set: func(a shellfile.Assignment) {
		if _, again := r.values[a.Name]; !again {
			r.order = append(r.order, a.Name)
		}
		r.values[a.Name] = assignment{a.Value, problem.Origin(path), a.Line, a.Column}
	}}
	r.problems = append(r.problems, file.Read(path, data)...)
}

// lookup finds the setting that describes name.
func (r *reader) lookup(name string) (Setting, bool) {
	for _, s := range r.settings {
		prefix, pattern := strings.CutSuffix(s.Name, "*")
		if s.Name == name || pattern && strings.HasPrefix(name, prefix) {
			return s, true
		}
	}
	return Setting{}, false
}

// value returns what name is set to, or its default.
func (r *reader) value(name string) (string, bool) {
	if a, ok := r.values[name]; ok {
		return a.value, true
	}
	s, ok := r.lookup(name)
	if !ok || s.apply == nil {
		return "", false
	}
	return os.Expand(s.Default, func(other string) string {
		v, _ := r.value(other)
		return v
	}), true
}

// config makes the Config of everything read.
func (r *reader) config() (*Config, problem.List) {
	c := &Config{Origins: map[string]problem.Origin{}}
	for _, name := range r.order {
		r.judge(c, name)
	}
	for _, s := range r.settings {
		if s.apply == nil {
			continue
		}
		value, _ := r.value(s.Name)
		if err := s.apply(c, value); err != nil {
			r.problem(problem.Error, r.values[s.Name], s.Name, fmt.Sprintf("%q: %v", value, err), ErrValue)
		}
	}
	if a := r.values["HELPER_USER"]; c.HelperUser != "" {
		r.problem(problem.Warning, a, "HELPER_USER", "all helpers share this account; nobody gives each run a uid of its own", ErrValue)
	}
	if r.problems.Err() != nil {
		return nil, r.problems
	}
	return c, r.problems
}

// judge warns of a name that has no effect, and takes OS parameters.
func (r *reader) judge(c *Config, name string) {
	a := r.values[name]
	c.Origins[name] = problem.Origin(fmt.Sprintf("%s:%d", a.origin, a.line))
	if parameter, ok := osParameter(name); ok {
		c.Parameters = append(c.Parameters, Parameter{
			Name: parameter, Value: a.value, Origin: c.Origins[name],
		})
		return
	}
	switch s, known := r.lookup(name); {
	case !known:
		r.problem(problem.Warning, a, name, "unknown name, ignored", ErrUnknown)
	case s.State == Obsolete:
		r.problem(problem.Warning, a, name, "no longer needed: "+s.Doc, ErrNotUsed)
	case s.State == Missing && s.apply == nil && a.value != s.Default:
		r.problem(problem.Warning, a, name, "not in this version, ignored", problem.ErrNotInThisVersion)
	}
}

// osParameter returns the OS parameter a name stands for, which is its name in
// upper case.
func osParameter(name string) (string, bool) {
	i := slices.IndexFunc(spec.AllParameters(), func(p spec.Parameter) bool { return strings.ToUpper(p.Name) == name })
	if i < 0 {
		return "", false
	}
	return spec.AllParameters()[i].Name, true
}
