package spec

import (
	"errors"
	"time"
)

// ErrTimeUp says that a time limit has passed.
var ErrTimeUp = errors.New("the time limit has passed")

// StepLimit returns how long one look at all of a file system of that many bytes, or
// its growth, may take on the disk of an installed machine. It cannot be known how much
// there is in it: slow disks need about a second for a GiB.
func StepLimit(bytes int64) time.Duration {
	const least, each = 5 * time.Minute, 2 * time.Second
	return least + time.Duration(max(bytes, 0)>>30)*each
}
