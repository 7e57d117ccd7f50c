// Package outcome has the errors by which work on a guest tells more than that it
// failed: that there was nothing to do, and what the administrator can do.
package outcome

import (
	"errors"
	"fmt"

	"snf-image/internal/guest/rootfs"
)

// Skipped is the error of work that had nothing to do.
type Skipped struct{ Reason string }

// Error returns the reason.
func (s *Skipped) Error() string { return s.Reason }

// Skip returns a Skipped with that reason.
func Skip(format string, args ...any) error {
	return &Skipped{Reason: fmt.Sprintf(format, args...)}
}

// Remedied is an error with advice for the administrator.
type Remedied struct {
	Err    error
	Remedy string // imperative, without a full stop
}

// Advise returns an error with advice, a Remedied.
func Advise(err error, remedy string) error { return &Remedied{Err: err, Remedy: remedy} }

// Error returns the text of the error alone.
func (e *Remedied) Error() string { return e.Err.Error() }

// Unwrap returns the error.
func (e *Remedied) Unwrap() error { return e.Err }

// AdviseUnsafe adds advice to an error about what an account of the image may have put
// there; other errors stay as they are.
func AdviseUnsafe(err error, remedy string) error {
	if _, unsafe := errors.AsType[*rootfs.UnsafeError](err); unsafe {
		return Advise(err, remedy)
	}
	return err
}

// UnsafePlace is AdviseUnsafe for a file that goes to a place of the administrator's
// choice.
func UnsafePlace(err error) error {
	return AdviseUnsafe(err, "remove what lies there from the guest, or choose a path that only root can write")
}
