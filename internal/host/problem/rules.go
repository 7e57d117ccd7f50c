package problem

import "errors"

// Rules that several packages check.
var (
	ErrNotInThisVersion = errors.New("not in this version")
	ErrTooLarge         = errors.New("larger than the limit")
)
