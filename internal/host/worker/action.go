package worker

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"snf-image/internal/host/format"
	"snf-image/internal/report"
)

// Action is what a worker does with its descriptors.
type Action string

// The actions.
const (
	// Deploy decodes the image From and writes it to the disk To.
	Deploy Action = ""
	// Look finds out the Geometry of the image From, and ends.
	Look Action = "look"
	// Import writes the raw dump of a disk that the stream From delivers to the disk To.
	// Its size need not be known.
	Import Action = "import"
	// Export writes the disk From, of DiskSize bytes, to the stream To.
	Export Action = "export"
)

// do is the work.
func (a Action) do(ctx context.Context, j Job, out *speaker) (Result, error) {
	switch a {
	case Import:
		return importDump(ctx, j, out)
	case Export:
		return exportDump(ctx, j)
	}
	return deploy(ctx, j, out)
}

// what names the work in failures.
func (a Action) what() string {
	switch a {
	case Import:
		return "importing the dump"
	case Export:
		return "exporting the disk"
	case Look:
		return "reading the image"
	}
	return "writing the image"
}

// side is an end of the work, which a failure is about.
type side string

const (
	fromSide  side = "from"
	toSide    side = "to"
	spoolSide side = "spool"
)

// wire turns an error into what the host is told.
func (a Action) wire(err error) *failure {
	f := &failure{What: a.what(), Cause: err.Error()}
	at, ok := errors.AsType[*fault](err)
	if !ok {
		return f
	}
	f.At = at.at
	if a == Deploy && f.At != toSide {
		f.What = Look.what()
	}
	if a == Deploy || a == Look {
		f.Remedy = imageRemedy(err)
	} else {
		f.Remedy = a.remedy(err)
	}
	return f
}

// remedy returns what to do about an error of a dump.
func (a Action) remedy(err error) string {
	full := errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT)
	switch {
	case errors.Is(err, errTooLong):
		return "import it to a disk as large as the one it was made of"
	case errors.Is(err, format.ErrEmpty), errors.Is(err, format.ErrOdd), errors.Is(err, errCut):
		return "look at what sends the dump, and at its log"
	case errors.Is(err, errDiskChanged), errors.Is(err, format.ErrTruncated):
		return "stop what uses the disk, or export a snapshot"
	case errors.Is(err, unix.EPIPE):
		return "look at what receives the dump, and at its log"
	case full && a == Import:
		return "make room on the file system or the pool the disk lies on"
	case full:
		return "make room where the dump goes"
	}
	return ""
}

// about returns what a failure at an end of the work is about.
func (a Action) about(at side, j Job) (kind report.Kind, on string) {
	switch {
	case at == fromSide && a == Export:
		return report.Disk, j.From.Name()
	case at == fromSide:
		return report.Image, j.From.Name()
	case at == toSide && a == Export:
		return report.Internal, j.To.Name()
	case at == toSide && a != Look:
		return report.Disk, j.To.Name()
	case at == spoolSide && j.Spool != nil:
		return report.Node, j.Spool.Name()
	}
	return report.Internal, Name
}

// check refuses a result that this action cannot have.
func (a Action) check(r *Result, j Job) error {
	if a == Export && (r.ImageBytes != j.DiskSize || r.WipedBytes != 0) {
		return fmt.Errorf("%w: %d bytes are not a dump of a disk of %d", errProtocol, r.ImageBytes, j.DiskSize)
	}
	return nil
}
