package agent

import (
	"errors"
	"fmt"
	"slices"

	"snf-image/internal/guest/cloudinit"
	"snf-image/internal/guest/filesystem"
	"snf-image/internal/guest/platform"
	"snf-image/internal/guest/rootfs"
	"snf-image/internal/report"
)

// unseen warns of an option for cloud-init that the kernel gets from an EFI system partition which
// the image's fstab does not mount, as systemd does by itself: it is outside of the tree, by which
// it is decided whether cloud-init runs.
func (s *session) unseen(found *report.Inspection, volumes []filesystem.Volume) {
	if found.CloudInit == "" {
		return
	}
	for _, p := range found.Partitions {
		v, ok := find(volumes, p.Number)
		if !ok || !platform.IsESP(p.Type) || v.Type != "vfat" || slices.Contains(s.seen, v.Name) {
			continue
		}
		warning, err := s.optionOn(v)
		if err != nil {
			warning = fmt.Sprintf("looking for kernels on %v: %v", v, err)
		}
		if warning != "" {
			found.Warnings = append(found.Warnings, warning)
		}
	}
}

// optionOn returns a warning of the option on an EFI system partition, "" where it has none.
func (s *session) optionOn(v filesystem.Volume) (warning string, err error) {
	release, err := s.mountOne(v, target)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, release()) }()
	root, err := rootfs.Open(target)
	if err != nil {
		return "", err
	}
	defer root.Close()
	value, file := platform.ESPOption(root, cloudinit.Option)
	if value != "enabled" && value != "disabled" {
		return "", nil
	}
	return fmt.Sprintf("%s on %v has %s=%s for the kernel, which is not taken into account, since the image's /etc/fstab does not mount that partition",
		file, v, cloudinit.Option, value), nil
}
