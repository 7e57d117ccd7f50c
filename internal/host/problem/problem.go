// Package problem describes what is wrong with the input of a deployment: each finding
// with its severity, where it was found, and what to do about it.
package problem

import (
	"fmt"
	"strings"
)

// Severity tells an error, which stops the deployment, from a warning.
type Severity string

// The severities.
const (
	Error   Severity = "error"
	Warning Severity = "warning"
)

// Origin is where a value came from, as the administrator knows it: a flag
// ("--image"), a file name or an environment variable.
type Origin string

// Problem is one finding of validation. It never holds the value of a secret.
type Problem struct {
	Severity Severity `json:"severity"`
	Origin   Origin   `json:"origin,omitempty"`
	// Path leads to the value: "img_personality[2].owner".
	Path string `json:"path,omitempty"`
	// Line and Column count from 1, Column in characters; 0 means unknown.
	Line    int    `json:"line,omitempty"`
	Column  int    `json:"column,omitempty"`
	Message string `json:"message"`
	Remedy  string `json:"remedy,omitempty"` // imperative, without a full stop
	// Rule is the sentinel of the rule that was broken, for errors.Is.
	Rule error `json:"-"`
}

// Error formats p as "ORIGIN:LINE:COLUMN: PATH: MESSAGE; REMEDY", leaving out
// what is empty.
func (p Problem) Error() string {
	var b strings.Builder
	if where := p.Where(); where != "" {
		b.WriteString(where + ": ")
	}
	b.WriteString(p.Message)
	if p.Remedy != "" {
		b.WriteString("; " + p.Remedy)
	}
	return b.String()
}

// Where formats the position alone, "ORIGIN:LINE:COLUMN: PATH".
func (p Problem) Where() string {
	where := string(p.Origin)
	if p.Line > 0 {
		where = strings.TrimPrefix(fmt.Sprintf("%s:%d:%d", where, p.Line, p.Column), ":")
	}
	if where != "" && p.Path != "" {
		return where + ": " + p.Path
	}
	return where + p.Path
}

// Unwrap returns the rule.
func (p Problem) Unwrap() error { return p.Rule }

// List are the findings of one validation, in the order they were found.
type List []Problem

// Error lists every problem on a line of its own, led by its severity.
func (ps List) Error() string {
	lines := make([]string, len(ps))
	for i, p := range ps {
		lines[i] = string(p.Severity) + ": " + p.Error()
	}
	return strings.Join(lines, "\n")
}

// Unwrap returns the problems one by one, for errors.Is and errors.As.
func (ps List) Unwrap() []error {
	errs := make([]error, len(ps))
	for i, p := range ps {
		errs[i] = p
	}
	return errs
}

// Errors returns the problems that stop a deployment.
func (ps List) Errors() List { return ps.filter(Error) }

// Warnings returns the problems that do not.
func (ps List) Warnings() List { return ps.filter(Warning) }

// Err returns the errors as one error, nil when there are only warnings.
func (ps List) Err() error {
	if errs := ps.Errors(); len(errs) > 0 {
		return errs
	}
	return nil
}

func (ps List) filter(s Severity) List {
	var out List
	for _, p := range ps {
		if p.Severity == s {
			out = append(out, p)
		}
	}
	return out
}

// Quote quotes s for a message and keeps it short.
func Quote(s string) string {
	const limit = 64
	if len(s) > limit {
		return fmt.Sprintf("%.*q…", limit, s)
	}
	return fmt.Sprintf("%q", s)
}
