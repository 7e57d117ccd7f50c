package task

import (
	"context"
	"errors"
	"fmt"

	"snf-image/internal/guest/cloudinit"
	"snf-image/internal/guest/inspect"
	"snf-image/internal/guest/netconf"
	"snf-image/internal/guest/outcome"
	"snf-image/internal/guest/sandbox"
	"snf-image/internal/spec"
)

// Check reports whether the planned tasks can do what is asked of them, as far as
// that can be known beforehand; Prepare looks at partition table and file systems.
// r.Root is mounted read-only; nothing is written. An installed machine is refused here
// rather than left half changed.
func Check(ctx context.Context, r *Run) error {
	defer func() { r.warnings = nil }() // the tasks give them again
	if f := r.family(); f == inspect.Windows || f == inspect.WindowsLegacy {
		return r.checkWindows(ctx)
	}
	for _, s := range steps() {
		if s.check == nil || r.family() != inspect.Linux || !r.willRun(s.name) {
			continue
		}
		err := s.check(r)
		if err == nil {
			err = r.checkBeside(s.name)
		}
		if err != nil {
			return fmt.Errorf("nothing is changed, since %s cannot be done: %w", s.name, err)
		}
	}
	return nil
}

// checkBeside refuses a task that the image's cloud-init, where it is not the one to do it,
// would undo at the next boot.
func (r *Run) checkBeside(task string) error {
	_, login := r.login()
	_, err := wantedInterfaces(r.Plan)
	idle := task == spec.ChangePassword && !login || task == spec.ConfigureNetwork && errors.Is(err, netconf.ErrLeave)
	if r.Plan.CloudInit || idle {
		return nil
	}
	return cloudinit.CheckBeside(r.guest(), task, r.credentials().Files)
}

// willRun reports whether a task is planned, is not left out, and is not replaced
// by a program of the image.
func (r *Run) willRun(name string) bool {
	if !r.wanted(name) {
		return false
	}
	return !r.Plan.OverwriteTasks || findOverwrite(r.Root, overwriteDir, "overwrite_task_"+name, 0) == ""
}

func checkSwap(r *Run) error {
	if r.Plan.CloudInit && r.Plan.Swap != nil && r.Plan.Swap.Partition > 0 {
		return nil
	}
	if !r.Root.IsRegular("/etc/fstab") {
		return outcome.Advise(errors.New("the image has no /etc/fstab"), "add one to the image, or leave out the property SWAP")
	}
	if err := r.Root.Editable("/etc/fstab"); err != nil {
		return err
	}
	if r.Plan.Swap != nil && r.Plan.Swap.Partition > 0 {
		return nil // FixPartitionTable makes it
	}
	_, err := r.swapDevice()
	return err
}

func checkCustomTask(r *Run) error {
	if r.Credentials == nil || len(r.Credentials.CustomTask) == 0 {
		return nil
	}
	return sandbox.CheckRunnable(r.Credentials.CustomTask)
}
