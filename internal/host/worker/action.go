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
	// Deploy decodes Image and writes it to Disk.
	Deploy Action = ""
	// Import writes the raw dump of a disk that Image, a stream, delivers to
	// Disk. Its size need not be known.
	Import Action = "import"
	// Export writes Image, a disk of DiskSize bytes, to Disk, a stream.
	Export Action = "export"
)

// do is the work.
func (a Action) do(ctx context.Context, j Job, out *speaker) (Result, error) {
	switch a {
	case Import:
		return receive(ctx, j, out)
	case Export:
		return exportDump(ctx, j)
	}
	if j.Stream {
		return receive(ctx, j, out)
	}
	return work(ctx, j, out)
}

// what names the work in failures.
func (a Action) what() string {
	switch a {
	case Import:
		return "importing the dump"
	case Export:
		return "exporting the disk"
	}
	return "writing the image"
}

// wire turns an error into what the host is told.
func (a Action) wire(err error) *failure {
	if a == Deploy {
		return wire(err)
	}
	f := &failure{Kind: report.Internal, What: a.what(), Cause: err.Error()}
	b, ok := errors.AsType[*blame](err)
	if !ok {
		return f
	}
	f.Kind, f.Remedy = report.Image, a.remedy(err)
	if b.disk {
		f.Kind = report.Disk
	}
	return f
}

// remedy returns what to do about an error of a dump.
func (a Action) remedy(err error) string {
	full := errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT)
	switch {
	case errors.Is(err, errTooLong):
		return "import it to a disk as large as the one it was made of"
	case errors.Is(err, errEmpty), errors.Is(err, errOdd), errors.Is(err, errCut):
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

// blamed says what a failure of a kind that a worker reports is about. When a
// disk is exported, the disk is what is read, and the stream is the caller's.
func (a Action) blamed(k report.Kind, j Job) (kind report.Kind, on string) {
	switch {
	case k == report.Image && a == Export:
		return report.Disk, j.Image.Name()
	case k == report.Image:
		return report.Image, j.Image.Name()
	case k == report.Disk && a == Export:
		return report.Internal, j.Disk.Name()
	case k == report.Disk:
		return report.Disk, j.Disk.Name()
	}
	return report.Internal, Name
}

// check refuses a result that this action cannot have.
func (a Action) check(r *Result, j Job) error {
	if a == Export && (r.ImageBytes != j.DiskSize || r.WipedBytes != 0) {
		return fmt.Errorf("%w: %d bytes are no dump of a disk of %d", errProtocol, r.ImageBytes, j.DiskSize)
	}
	return nil
}
