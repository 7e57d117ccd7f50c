package deploy

import (
	"os"

	"snf-image/internal/host/target"
)

// ends stand for the first and the last spec.EndSize bytes of the disk while it
// is made: worker and helper write there, and only a finished deployment copies
// them to the disk. They are anonymous memory, so a killed run leaves nothing.
type ends struct{ head, tail *os.File }

func newEnds() (ends, error) {
	head, err := target.NewEnd("head")
	if err != nil {
		return ends{}, err
	}
	tail, err := target.NewEnd("tail")
	if err != nil {
		_ = head.Close()
		return ends{}, err
	}
	return ends{head, tail}, nil
}

// close releases the ends. Those that were not made are nil, which only returns an
// error.
func (e ends) close() { _, _ = e.head.Close(), e.tail.Close() }
