package config

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"mvdan.cc/sh/v3/syntax"

	"snf-image/internal/host/problem"
	"snf-image/internal/spec"
)

// Rules of configuration files.
var (
	ErrSyntax  = errors.New("configuration syntax")
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
	here := assignment{origin: problem.Origin(path)}
	if len(data) > maxFile {
		r.problem(problem.Error, here, "", "the file has more than 1 MiB", ErrSyntax)
		return
	}
	file, err := syntax.NewParser(syntax.Variant(syntax.LangBash)).Parse(bytes.NewReader(data), path)
	if parse, ok := errors.AsType[syntax.ParseError](err); ok {
		r.problem(problem.Error, at(here, parse.Pos), "", "not shell syntax: "+parse.Text, ErrSyntax)
		return
	}
	if err != nil {
		r.problem(problem.Error, here, "", "not shell syntax: "+err.Error(), ErrSyntax)
		return
	}
	for _, stmt := range file.Stmts {
		r.statement(here, stmt)
	}
}

// at returns a with the position of pos.
func at(a assignment, pos syntax.Pos) assignment {
	a.line, a.column = int(pos.Line()), int(pos.Col())
	return a
}

// statement takes a statement if it is nothing but assignments.
func (r *reader) statement(here assignment, stmt *syntax.Stmt) {
	here = at(here, stmt.Pos())
	call, ok := stmt.Cmd.(*syntax.CallExpr)
	if !ok || len(call.Args) > 0 || stmt.Negated || stmt.Background || stmt.Coprocess || len(stmt.Redirs) > 0 {
		r.problem(problem.Error, here, "", `only NAME="value" lines are allowed`, ErrSyntax)
		return
	}
	for _, assign := range call.Assigns {
		r.assign(at(here, assign.Pos()), assign)
	}
}

func (r *reader) assign(a assignment, assign *syntax.Assign) {
	name := assign.Name.Value
	if assign.Append || assign.Array != nil || assign.Index != nil || assign.Naked {
		r.problem(problem.Error, a, name, "only plain assignments are allowed", ErrSyntax)
		return
	}
	value, err := r.expand(assign.Value)
	if err != nil {
		r.problem(problem.Error, a, name, err.Error(), ErrSyntax)
		return
	}
	a.value = value
	if _, again := r.values[name]; !again {
		r.order = append(r.order, name)
	}
	r.values[name] = a
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
	c := &Config{}
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
	if parameter, ok := osParameter(name); ok {
		c.Parameters = append(c.Parameters, Parameter{
			Name: parameter, Value: a.value,
			Origin: problem.Origin(fmt.Sprintf("%s:%d", a.origin, a.line)),
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
