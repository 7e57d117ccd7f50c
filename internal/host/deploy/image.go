package deploy

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"

	"golang.org/x/sys/unix"

	"snf-image/internal/host/confine"
	"snf-image/internal/host/format"
	"snf-image/internal/host/source"
	"snf-image/internal/host/worker"
	"snf-image/internal/report"
	"snf-image/internal/spec"
)

// openImage opens the image of the Spec and finds out what it is. One that comes from
// somewhere else is only checked by its name.
func (i *imaging) openImage(ctx context.Context) error {
	if err := format.Check(i.Spec.Format); err != nil {
		return err
	}
	if i.Store == nil && i.Spec.FromURL(spec.ImgID) {
		return &report.Failure{
			Kind: report.Usage, What: "opening the image", On: spec.ImgID,
			Cause:  errors.New("a URL named a path of this node"),
			Remedy: "name the image with --image, or have the server name one in IMAGE_DIR",
		}
	}
	library := source.Library{Store: i.Store, Fetch: i.Fetch, Format: string(i.Spec.Format), Warn: i.warn, Note: i.note}
	found, err := library.Find(i.Spec.Image)
	if err != nil {
		return err
	}
	i.found = found
	i.record.Image = &report.ImageRead{ID: found.Name, Format: string(i.Spec.Format)}
	if found.Once {
		return nil
	}
	image, err := found.Open(ctx)
	if err != nil {
		return err
	}
	i.image = image
	i.record.Image.ID = i.image.Name
	if err := i.findProof(ctx); err != nil {
		return err
	}
	g, err := lookAt(ctx, i.image, i.Spec.Format, i.ids)
	if err != nil {
		return err
	}
	i.known(g)
	return nil
}

// lookAt has a worker find out what an image file is.
func lookAt(ctx context.Context, image *source.Image, name spec.Format, ids confine.Identities) (worker.Geometry, error) {
	job := worker.Job{Format: name, From: image.File, Stored: image.Stored}
	if id := ids.Worker; id != nil {
		job.UID, job.GID = id.Uid, id.Gid
	}
	return worker.LookAt(ctx, job)
}

// known takes what the image turned out to be.
func (i *imaging) known(g worker.Geometry) {
	i.geometry = g
	i.record.Image.Format, i.record.Image.Layers = string(g.Format), g.Layers
	i.record.Image.Size, i.record.Image.Stored = g.DiskBytes, i.image.Stored
}

var errChanged = errors.New("the image was changed while it was read")

// judgeGeometry lets the worker write the image, or does not. It runs beside boot, so it
// leaves the record alone.
func (i *imaging) judgeGeometry(g worker.Geometry) error {
	if before := i.geometry; i.image.Stream == nil && (before.Format != g.Format || before.DiskBytes != g.DiskBytes || !slices.Equal(before.Layers, g.Layers)) {
		return &report.Failure{
			Kind: report.Image, What: "reading the image", On: i.image.Name,
			Cause: errChanged, Remedy: "leave it and its name alone while it is deployed",
		}
	}
	if d := i.disks[0]; g.DiskBytes > d.Size {
		return &report.Failure{
			Kind: report.Disk, What: "opening the disk", On: d.Path,
			Cause: fmt.Errorf("it has %d bytes, the image needs %d", d.Size, g.DiskBytes), Remedy: "use a larger disk",
		}
	}
	if !i.geometry.MBR { // else it is said
		i.foreseeTable(g)
	}
	i.touched = true
	return nil
}

// reachOfMBR is how many bytes of a disk the numbers of an MBR can tell.
const reachOfMBR = (1<<32 - 1) * format.Sector

// foreseeTable tells before the image is copied what its partition table cannot make use of.
// The warning of the task that grows it goes into the report.
func (i *imaging) foreseeTable(g worker.Geometry) {
	if over := i.disks[0].Size - reachOfMBR; g.MBR && over > 0 {
		i.Log.Warn(fmt.Sprintf("the partition table of the image is an MBR, which reaches only the first 2 TiB of a disk: %s at the end of %s stay unused; an image with a GPT has no such limit",
			report.Bytes(over), i.disks[0].Path))
	}
}

// newSpool returns an empty file without a name for an image that may have to be read in
// any order and comes as a stream, nil where that cannot be.
func newSpool(dir string, name spec.Format, stream bool) (*os.File, error) {
	if !stream || name == spec.DiskDump || name == spec.Raw || name == spec.ExtDump || name == spec.NTFSDump {
		return nil, nil
	}
	return unnamed(dir)
}

// unnamed returns a file below dir that is gone with its descriptors.
func unnamed(dir string) (*os.File, error) {
	fd, err := unix.Open(dir, unix.O_TMPFILE|unix.O_RDWR|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return nil, &report.Failure{
			Kind: report.Node, What: "making a file to unpack the image to", On: dir, Cause: err,
			Remedy: "set SPOOL_DIR in the configuration to a directory with room for it",
		}
	}
	return os.NewFile(uintptr(fd), dir), nil
}
