package deploy

import (
	"context"
	"fmt"
	"io"

	"snf-image/internal/host/target"
	"snf-image/internal/spec"
)

// customization is the flow that works on the disk as it is: customize, rename, and
// a deployment whose image is null.
type customization struct{ *run }

var _ flow = customization{}

func (c customization) check(ctx context.Context, o target.Options) error {
	if err := c.prepare(); err != nil {
		return err
	}
	o.Existing = true
	if err := c.openDisks(ctx, o); err != nil {
		return err
	}
	if err := c.openHelper(); err != nil || o.DryRun {
		return err
	}
	if err := c.readAnswers(ctx); err != nil {
		return err
	}
	if err := c.helping.listen(); err != nil {
		return err
	}
	return c.helping.admit(ctx)
}

func (c customization) make(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	c.disks.watch(ctx, cancel)
	keys := async(cancel, func() ([]spec.HostKey, error) { return c.hostKeys(ctx) })
	h, err := c.helping.boot(ctx, c.plan, c.disks.vm(c.plan))
	defer h.stop()
	if err != nil {
		cancel(err)
		_, _ = keys.wait()
		return context.Cause(ctx)
	}
	h.started()
	return h.customize(ctx, 0, keys)
}

func (c customization) describe(out io.Writer) {
	describeDisks(out, c.disks, "changed in place")
	c.helping.describe(out)
}

// describeDisks prints the disks and what becomes of the first.
func describeDisks(out io.Writer, all disks, fate string) {
	fmt.Fprintf(out, "disk      %s, %d bytes, %s\n", all[0].Path, all[0].Size, fate)
	for _, other := range all[1:] {
		fmt.Fprintf(out, "disk      %s, %d bytes\n", other.Path, other.Size)
	}
}
