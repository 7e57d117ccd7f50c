package agent

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"snf-image/internal/guest/filesystem"
	"snf-image/internal/guest/partition"
	"snf-image/internal/guest/platform"
	"snf-image/internal/guest/rootfs"
	"snf-image/internal/guest/task"
	"snf-image/internal/report"
	"snf-image/internal/spec"
)

// boots finds out which firmwares start the first disk, where that is asked for. An image that
// the instance's firmware does not start is an error; a machine that is there already has
// been started by something. It warns of what a boot loader does unseen.
func (s *session) boots(found *report.Inspection, volumes []filesystem.Volume) error {
	s.unseen(found, volumes)
	judged := s.plan.Mode == spec.ModeDeploy && s.plan.Firmware != ""
	if s.plan.Mode != spec.ModeInspect && !judged {
		return nil
	}
	code, lost, err := s.disks[0].code()
	if err != nil {
		return err
	}
	if lost != "" {
		found.Warnings = append(found.Warnings, lost)
	}
	for _, p := range found.Partitions {
		v, ok := find(volumes, p.Number)
		if !ok || !platform.IsESP(p.Type) || v.Type != "vfat" {
			continue
		}
		loaders, err := s.loaders(v)
		if err != nil {
			found.Warnings = append(found.Warnings, fmt.Sprintf("looking for loaders on %v: %v", v, err))
		}
		found.EFILoaders = append(found.EFILoaders, loaders...)
	}
	found.BootModes = platform.Modes(code, found.EFILoaders)
	if !judged || slices.Contains(found.BootModes, s.plan.Firmware) {
		return nil
	}
	return &task.Remedied{Err: errFirmware[s.plan.Firmware], Remedy: "give an image for this firmware, or change the hypervisor parameter boot_type of the instance"}
}

// errFirmware are the errors of a disk that a firmware does not start.
var errFirmware = map[string]error{
	platform.BIOS: errors.New("the instance is started by a BIOS (boot_type), for which the first sector of the image holds no boot code, or some that does not find the rest of it"),
	platform.UEFI: errors.New("the instance is started by UEFI (boot_type), for which the image has no EFI system partition with a loader in \\EFI\\BOOT"),
}

// code reports whether the disk holds code for a BIOS that leads to a system, and why not where
// there is such code.
func (d *disk) code() (starts bool, lost string, err error) {
	f, err := os.Open(d.Path)
	if err != nil {
		return false, "", err
	}
	defer f.Close()
	sector := make([]byte, platform.Sector)
	if _, err := io.ReadFull(f, sector); err != nil {
		return false, "", fmt.Errorf("reading the first sector: %w", err)
	}
	lost = platform.LostCore(f, sector, d.table != nil && d.table.Kind == partition.GPT)
	return platform.HasCode(sector) && lost == "", lost, nil
}

// loaders returns the loaders on an EFI system partition.
func (s *session) loaders(v filesystem.Volume) (loaders []string, err error) {
	release, err := s.mountOne(v, target)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, release()) }()
	root, err := rootfs.Open(target)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	return platform.Loaders(root), nil
}
