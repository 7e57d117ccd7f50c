package deploy

import (
	"context"
	"fmt"
	"io"

	"snf-image/internal/host/target"
	"snf-image/internal/host/vm"
)

// DryRun checks everything Run would check and prints what it would do. It
// creates, extends and writes nothing.
func DryRun(ctx context.Context, req Request, out io.Writer) error {
	r := &run{Request: req, record: newRecord(req)}
	defer r.close()
	if err := r.check(ctx, target.Options{DryRun: true}); err != nil {
		return err
	}
	d := r.disks[0]
	if r.image != nil {
		fmt.Fprintf(out, "image     %s, %d bytes, %s\n", r.image.Path, r.image.Size, r.Spec.Format)
	}
	fmt.Fprintf(out, "disk      %s, %d bytes, %s\n", d.Path, d.Size, fate(r, d))
	for _, other := range r.disks[1:] {
		fmt.Fprintf(out, "disk      %s, %d bytes\n", other.Path, other.Size)
	}
	if r.helper == nil {
		fmt.Fprintln(out, "helper    not needed, no task is planned")
		return nil
	}
	choice := r.verdicts().Apply(vm.Choose(r.ids.helper))
	fmt.Fprintf(out, "helper    kernel %s, %d MiB, %s first (%s)\n", r.helper.Manifest.Kernel, r.Config.HelperMemory, choice.Accelerators[0], choice.Why)
	for _, t := range r.plan.Tasks {
		if property, ok := r.plan.Exclude[t]; ok {
			fmt.Fprintf(out, "task      %s, left out by %s\n", t, property)
		} else {
			fmt.Fprintf(out, "task      %s\n", t)
		}
	}
	return nil
}

// fate says what will become of what the disk holds now.
func fate(r *run, d *target.Disk) string {
	switch {
	case d.Created:
		return "created"
	case r.image == nil:
		return "changed in place"
	case d.Extended:
		return "extended, everything on it overwritten, WIPE=" + string(r.Config.Wipe) + " behind the image"
	}
	return "everything on it overwritten, WIPE=" + string(r.Config.Wipe) + " behind the image"
}
