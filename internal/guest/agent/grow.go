package agent

import (
	"fmt"
	"path"
	"strings"

	"snf-image/internal/guest/filesystem"
	"snf-image/internal/guest/fstab"
	"snf-image/internal/guest/rootfs"
	"snf-image/internal/guest/task"
	"snf-image/internal/spec"
)

// growVolume returns the name of the volume that the property GROW names by its mount
// point, "" where it names none.
func (s *session) growVolume(volumes []filesystem.Volume) (string, error) {
	text := s.plan.Properties[spec.PropGrow]
	if !strings.HasPrefix(text, "/") || s.plan.SwapOnly || s.plan.Mode == spec.ModeInspect || s.root.Name == "" {
		return "", nil
	}
	point := path.Clean(text)
	if point == "/" {
		return s.root.Name, nil
	}
	var name string
	err := s.within(s.root, volumes, false, func(root *rootfs.Root, _ error) error {
		data, err := root.ReadFile("/etc/fstab", maxTable)
		if err != nil && !rootfs.IsNotExist(err) {
			return err
		}
		mounts, _, err := fstab.Resolve(fstab.Parse(data), volumes)
		for _, m := range mounts {
			if m.Point == point && m.Volume.Disk == 0 {
				name = m.Volume.Name
			}
		}
		return err
	})
	if err == nil && name == "" {
		err = &task.Remedied{
			Err:    fmt.Errorf("the image's fstab mounts nothing of the first disk on %s", point),
			Remedy: "correct the property GROW",
		}
	}
	return name, err
}
