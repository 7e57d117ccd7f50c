// Package shellfile reads files in the syntax of the shell that consist of assignments,
// NAME="value": the node's configuration, variants, entries of the catalogue.
//
// Nothing in them is ever executed, and nothing of the environment or of other files gets
// into a value: every line that is not a plain assignment is an error with its place.
package shellfile

import (
	"bytes"
	"errors"

	"mvdan.cc/sh/v3/syntax"

	"snf-image/internal/host/problem"
)

// MaxFile bounds a file in bytes.
const MaxFile = 1 << 20

// ErrSyntax is the rule of what such a file may consist of.
var ErrSyntax = errors.New("configuration syntax")

// Assignment is one NAME="value", with its place.
type Assignment struct {
	Name, Value  string
	Line, Column int
}

// Reader reads files.
type Reader struct {
	// Value returns what ${NAME} stands for at this point, and whether it is set.
	Value func(name string) (string, bool)
	// Set takes each assignment as it is read.
	Set func(Assignment)
}

// file is one file while it is read.
type file struct {
	Reader
	origin   problem.Origin
	problems problem.List
}

// Read reads the content of the file path. It goes on after a mistake and returns all.
func (r Reader) Read(path string, data []byte) problem.List {
	f := &file{Reader: r, origin: problem.Origin(path)}
	if len(data) > MaxFile {
		f.report(Assignment{}, "the file has more than 1 MiB")
		return f.problems
	}
	parsed, err := syntax.NewParser(syntax.Variant(syntax.LangBash)).Parse(bytes.NewReader(data), path)
	if parse, ok := errors.AsType[syntax.ParseError](err); ok {
		f.report(at(parse.Pos), "not shell syntax: "+parse.Text)
		return f.problems
	}
	if err != nil {
		f.report(Assignment{}, "not shell syntax: "+err.Error())
		return f.problems
	}
	for _, stmt := range parsed.Stmts {
		f.statement(stmt)
	}
	return f.problems
}

func (f *file) report(a Assignment, message string) {
	f.problems = append(f.problems, problem.Problem{
		Severity: problem.Error, Origin: f.origin, Path: a.Name,
		Line: a.Line, Column: a.Column, Message: message, Rule: ErrSyntax,
	})
}

// at returns an assignment at pos.
func at(pos syntax.Pos) Assignment {
	return Assignment{Line: int(pos.Line()), Column: int(pos.Col())}
}

// statement takes a statement if it is nothing but assignments.
func (f *file) statement(stmt *syntax.Stmt) {
	call, ok := stmt.Cmd.(*syntax.CallExpr)
	if !ok || len(call.Args) > 0 || stmt.Negated || stmt.Background || stmt.Coprocess || len(stmt.Redirs) > 0 {
		f.report(at(stmt.Pos()), `only NAME="value" lines are allowed`)
		return
	}
	for _, assign := range call.Assigns {
		f.assign(assign)
	}
}

func (f *file) assign(assign *syntax.Assign) {
	a := at(assign.Pos())
	a.Name = assign.Name.Value
	if assign.Append || assign.Array != nil || assign.Index != nil || assign.Naked {
		f.report(a, "only plain assignments are allowed")
		return
	}
	var err error
	if a.Value, err = f.expand(assign.Value); err != nil {
		f.report(a, err.Error())
		return
	}
	f.Set(a)
}
