package task

import (
	"slices"
	"strings"

	"snf-image/internal/guest/etc"
	"snf-image/internal/guest/rootfs"
	"snf-image/internal/spec"
)

// The files that report whether the system uses SELinux, and that it shall label all
// of its files at the next boot (selinux_config(5), fixfiles(8)).
const (
	selinuxConfig = "/etc/selinux/config"
	autorelabel   = "/.autorelabel"
)

// relabel has an SELinux system label its files at its next boot when files were
// changed: a new one has no label, and nobody could log in. An installed machine is
// left alone when all that was changed has kept its labels.
func relabel(r *Run) error {
	unlabelled := slices.ContainsFunc(r.Root.Changed(), func(p string) bool {
		return r.Root.Has(p) && !r.Root.HasXattr(p, "security.selinux")
	})
	if !unlabelled && (r.careful() || len(r.Root.Changed()) == 0) || r.Plan.Exclude[spec.SELinuxAutorelabel] != "" {
		return nil
	}
	data, err := r.Root.ReadFile(selinuxConfig, rootfs.MaxConfig)
	if rootfs.IsNotExist(err) {
		return nil
	}
	if err != nil {
		return err
	}
	mode := strings.ToLower(etc.ParseAssignments(data)["SELINUX"])
	if mode != "enforcing" && mode != "permissive" {
		return nil
	}
	if !r.Root.Has(autorelabel) {
		if err := r.Root.WriteFile(autorelabel, nil, rootfs.Attr{Mode: 0o644}); err != nil {
			return err
		}
	}
	r.Warn("the image uses SELinux (%s), whose labels are not in this version: %s is there, so the next boot labels all files and starts the system again", mode, autorelabel)
	return nil
}
