package cloudinit

import (
	"go.yaml.in/yaml/v3"

	"snf-image/internal/guest/rootfs"
	"snf-image/internal/guest/system"
	"snf-image/internal/spec"
)

// Rename has a machine that cloud-init named on our behalf keep its new name. The instance
// stays the same.
func Rename(g system.Guest, hostname string) error {
	d, ok := told(g)
	if !ok || !g.Root.IsRegular(d.file(spec.AssignHostname)) {
		return nil
	}
	d.Config, _ = ReadConfig(g.Root) // cloud-init leaves out what cannot be read, too
	if err := d.SetHostname(hostname); err != nil {
		return err
	}
	err := g.Root.Edit(metaPath, func(old []byte) ([]byte, error) {
		var m metaData
		if err := yaml.Unmarshal(old, &m); err != nil {
			g.Warn("cloud-init's %s is damaged and does not get the new name: %v", metaPath, err)
			return old, nil
		}
		m.Hostname = hostname
		return yaml.Marshal(m)
	})
	if rootfs.IsNotExist(err) {
		return nil
	}
	return err
}
