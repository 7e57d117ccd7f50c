package report

import (
	"errors"
	"io/fs"
	"strings"
)

// Kind says what a failure is about. The host command turns it into an exit
// code; nothing else decides on it.
type Kind string

// The kinds of failure, one for each exit code of the host command.
const (
	Internal    Kind = "internal"     // anything that has no kind of its own
	Usage       Kind = "usage"        // the command line or the spec is invalid
	Image       Kind = "image"        // the image is missing, damaged or refused
	Disk        Kind = "disk"         // the disk is missing, too small or fails
	Busy        Kind = "busy"         // somebody else uses the disk
	HelperImage Kind = "helper-image" // the helper image is missing, damaged or of another version
	Helper      Kind = "helper"       // the helper died or broke the protocol
	Task        Kind = "task"         // a task failed
	Timeout     Kind = "timeout"      // a time limit was reached
	Node        Kind = "node"         // the node lacks QEMU, memory or the like
)

// Failure is an error fit to be the last line of a log: what was done, on
// what, why it failed and what the administrator can do about it.
type Failure struct {
	Kind   Kind
	What   string // the action, in the gerund: "opening the disk"
	On     string // the object: a path, a parameter name, a task
	Cause  error
	Remedy string // an imperative sentence without a full stop, may be empty
}

// Error formats f as "WHAT, on WHAT: CAUSE; REMEDY", leaving out what is empty.
func (f *Failure) Error() string {
	var b strings.Builder
	b.WriteString(f.What)
	if f.On != "" {
		b.WriteString(", on " + f.On)
	}
	if f.Cause != nil {
		b.WriteString(": " + f.Cause.Error())
	}
	if f.Remedy != "" {
		b.WriteString("; " + f.Remedy)
	}
	return b.String()
}

// Unwrap returns the cause.
func (f *Failure) Unwrap() error { return f.Cause }

// KindOf returns the kind of the outermost Failure in err, or Internal.
func KindOf(err error) Kind {
	if f, ok := errors.AsType[*Failure](err); ok {
		return f.Kind
	}
	return Internal
}

// Bare returns the cause of an error of package os, without the path: whoever reports it
// names that already, and better than by the name of a descriptor.
func Bare(err error) error {
	if pe, ok := errors.AsType[*fs.PathError](err); ok {
		return pe.Err
	}
	return err
}
