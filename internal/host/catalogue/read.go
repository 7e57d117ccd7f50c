package catalogue

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"snf-image/internal/host/problem"
	"snf-image/internal/host/shellfile"
)

// Rules of entries.
var (
	ErrName    = errors.New("unknown name in an entry of the catalogue")
	ErrValue   = errors.New("bad value in an entry of the catalogue")
	ErrMissing = errors.New("incomplete entry of the catalogue")
)

// architectures are what ${ARCH} and ${DEBIAN_ARCH} stand for: vendors call the same
// machines by two names.
var architectures = map[string]string{"x86_64": "amd64", "aarch64": "arm64"}

// Parse reads the entry name from the content of file. What is wrong is in its Problems. arch
// is the value of ${ARCH}.
func Parse(name, file string, data []byte, arch string) *Entry {
	e := &Entry{Name: name, File: file, Properties: map[string]string{}, places: map[string]place{}}
	values := map[string]string{"ARCH": arch, "DEBIAN_ARCH": cmp.Or(architectures[arch], arch)}
	reader := shellfile.Reader{
		Value: func(name string) (string, bool) { v, ok := values[name]; return v, ok },
		Set: func(a shellfile.Assignment) {
			values[a.Name] = a.Value
			e.set(a)
		},
	}
	e.Problems = append(reader.Read(file, data), e.Problems...)
	e.complete()
	return e
}

// set takes one assignment.
func (e *Entry) set(a shellfile.Assignment) {
	_, again := e.places[a.Name]
	e.places[a.Name] = place{a.Line, a.Column}
	if again {
		e.report(a.Name, "it is set twice", "", ErrValue)
		return
	}
	if property, ok := strings.CutPrefix(a.Name, "PROPERTY_"); ok {
		e.fail(a.Name, e.setProperty(property, a.Value))
		return
	}
	i := slices.IndexFunc(fields, func(f field) bool { return f.name == a.Name })
	if i < 0 {
		e.report(a.Name, "unknown name", problem.DidYouMean(a.Name, Names()), ErrName)
		return
	}
	e.fail(a.Name, fields[i].set(e, a.Value))
}

// fail reports the error of a value.
func (e *Entry) fail(name string, err error) {
	if err != nil {
		e.report(name, err.Error(), "", ErrValue)
	}
}

// report adds a problem with what is set as name.
func (e *Entry) report(name, message, remedy string, rule error) {
	at := e.places[name]
	e.Problems = append(e.Problems, problem.Problem{
		Severity: problem.Error, Origin: problem.Origin(e.File), Path: name, Line: at.line, Column: at.column,
		Message: message, Remedy: remedy, Rule: rule,
	})
}

// complete finds what is missing or does not fit together.
func (e *Entry) complete() {
	switch {
	case !goodName.MatchString(e.Name):
		e.report("", fmt.Sprintf("%.64q cannot be the name of an entry: it has small letters, digits, dots, hyphens and underscores", e.Name), "", ErrValue)
	case e.URL == "" && e.places["URL"] == place{}:
		e.report("", "it sets no URL", "", ErrMissing)
	}
	if e.Format == "" && e.places["FORMAT"] == (place{}) {
		e.report("", "it sets no FORMAT", "", ErrMissing)
	}
	if e.Signature != "" && e.Sums == "" {
		e.report("SIGNATURE", "it is over SUMS, which is not set", "a signature over the image is IMAGE_SIGNATURE", ErrMissing)
	}
	if e.Signature != "" && e.ImageSignature != "" {
		e.report("IMAGE_SIGNATURE", "SIGNATURE is set too", "set one of them", ErrValue)
	}
	if (e.Signature != "" || e.ImageSignature != "") && len(e.Keys) == 0 {
		e.report("KEYS", "it has a signature, but no key is bound to it", "set KEYS to the fingerprints of the vendor's keys", ErrMissing)
	}
}
