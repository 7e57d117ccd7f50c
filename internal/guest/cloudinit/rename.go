package cloudinit

import (
	"fmt"

	"go.yaml.in/yaml/v3"

	"snf-image/internal/guest/rootfs"
	"snf-image/internal/guest/system"
	"snf-image/internal/spec"
)

// Rename has a machine that cloud-init named on our behalf keep its new name. The instance
// stays the same.
func Rename(g system.Guest, hostname string) error {
	d, err := Find(g)
	if err != nil || !g.Root.IsRegular(d.file(spec.AssignHostname)) {
		return nil // without its directory there is nothing of ours, either
	}
	if err := d.SetHostname(hostname); err != nil {
		return err
	}
	err = g.Root.Edit(metaPath, func(old []byte) ([]byte, error) {
		var m metaData
		if err := yaml.Unmarshal(old, &m); err != nil {
			return nil, fmt.Errorf("reading cloud-init's %s: %w", metaPath, err)
		}
		m.Hostname = hostname
		return yaml.Marshal(m)
	})
	if rootfs.IsNotExist(err) {
		return nil
	}
	return err
}
