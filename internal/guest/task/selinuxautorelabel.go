package task

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"time"

	"snf-image/internal/guest/rootfs"
	"snf-image/internal/guest/selinux"
	"snf-image/internal/spec"
)

// autorelabel has an SELinux system label all of its files at its next boot (fixfiles(8)).
const autorelabel = "/.autorelabel"

// labels is what a Run knows about SELinux labels.
type labels struct {
	state    selinux.State
	contexts *selinux.Contexts
	// trouble is why the policy's labels cannot be had here.
	trouble error
	// programs is when the first program that may change any file began.
	programs time.Time
	done     bool
}

// Errors of images whose files we cannot label.
var errUnlabelled = errors.New("the image's own files have no labels")

// clockStep is how far the time of a change in a file system may lie before that of the clock.
const clockStep = 20 * time.Millisecond

// programRuns notes that a program of the deployment or the image begins.
func (l *labels) programRuns() {
	if l.programs.IsZero() {
		l.programs = time.Now().Add(-clockStep)
	}
}

// startLabels finds out whether the image uses SELinux: from then on every new file has the
// label of its policy from its first moment.
func (r *Run) startLabels() error {
	if !r.wanted(spec.SELinuxAutorelabel) {
		return nil
	}
	l := &r.labels
	var err error
	if l.state, err = selinux.Look(r.Root); err != nil || !l.state.Enabled() {
		return err
	}
	if r.Root.Labelled("/etc") == "" {
		l.trouble = errUnlabelled
		return nil
	}
	if l.contexts, l.trouble = l.state.Load(r.Root); l.trouble == nil {
		r.Root.Label = l.label
	}
	return nil
}

// label returns the policy's label for a new file, and remembers when it cannot be told.
func (l *labels) label(p string, kind fs.FileMode) string {
	label, err := l.contexts.Lookup(p, kind)
	if err != nil && l.trouble == nil {
		l.trouble = err
	}
	return label
}

// selinuxAutorelabel labels what programs changed, and has the system label all of its files
// where the policy's labels cannot be had here.
func selinuxAutorelabel(ctx context.Context, r *Run) error {
	l := &r.labels
	l.done = true
	if !l.state.Enabled() {
		return Skip("the image does not use SELinux")
	}
	if l.contexts != nil && !l.programs.IsZero() {
		if err := r.labelAfterPrograms(ctx); err != nil {
			l.trouble = errors.Join(l.trouble, err)
		}
	}
	if l.trouble == nil || !r.lacksLabels() {
		return nil
	}
	if !r.Root.Has(autorelabel) {
		if err := r.Root.WriteFile(autorelabel, nil, rootfs.Attr{Mode: 0o644}); err != nil {
			return err
		}
	}
	r.Warn("the image uses SELinux (%s), and its files cannot be labelled here: %v: %s is there, so the next boot "+
		"labels all files and starts the system again", l.state.Mode, l.trouble, autorelabel)
	return nil
}

// lacksLabels reports whether files may be without the label they should have. An installed
// machine is left alone when all that was changed has kept its labels.
func (r *Run) lacksLabels() bool {
	changed := r.Root.Changed()
	if !r.careful() && len(changed) > 0 || !r.labels.programs.IsZero() {
		return true
	}
	return slices.ContainsFunc(changed, func(p string) bool { return r.Root.Has(p) && r.Root.Labelled(p) == "" })
}

// labelAfterPrograms labels every file that has no label, and those that programs moved or
// gave other attributes, as restorecon(8) does. One whose content alone they changed keeps
// its label.
func (r *Run) labelAfterPrograms(ctx context.Context) error {
	l := &r.labels
	var trouble error
	n, err := r.Root.Relabel(ctx, func(f rootfs.File) (string, bool) {
		moved := f.Below || !f.Inode.Before(l.programs) && f.Content.Before(l.programs)
		label, err := l.after(f, moved)
		if err != nil && trouble == nil {
			trouble = err
		}
		return label, moved
	})
	r.Log.Info("labelled files after programs", "files", n)
	return errors.Join(err, trouble)
}

// after returns the label for a file that programs may have changed, "" for the one it has.
func (l *labels) after(f rootfs.File, moved bool) (string, error) {
	switch {
	case f.Label == "":
		label, err := l.contexts.Lookup(f.Path, f.Kind)
		if label == "" && err == nil {
			label = f.Dir
		}
		return label, err
	case moved:
		return l.contexts.Restored(f.Path, f.Kind, f.Label)
	}
	return "", nil
}

// finishLabels does the task's work after another task failed: files that were changed until
// then stay changed on an installed machine.
func finishLabels(ctx context.Context, r *Run) error {
	if r.labels.done || !r.careful() {
		return nil
	}
	err := selinuxAutorelabel(ctx, r)
	if _, skipped := errors.AsType[*Skipped](err); skipped {
		return nil
	}
	if err != nil {
		return fmt.Errorf("labelling files: %w", err)
	}
	return nil
}
