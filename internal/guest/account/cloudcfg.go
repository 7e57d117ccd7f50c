package account

import (
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"snf-image/internal/guest/rootfs"
)

// defaultUser is what the image's cloud-init would make of its default user,
// system_info.default_user of cloud.cfg.
type defaultUser struct {
	Name         string `yaml:"name"`
	Gecos        string `yaml:"gecos"`
	Groups       list   `yaml:"groups"`
	Sudo         list   `yaml:"sudo"`
	Doas         list   `yaml:"doas"`
	Shell        string `yaml:"shell"`
	PrimaryGroup string `yaml:"primary_group"`
	NoUserGroup  bool   `yaml:"no_user_group"`
}

// list is a list that may be written as one text, of which those of groups have commas,
// or be something else, which counts as nothing.
type list []string

// UnmarshalYAML takes a list or a text.
func (l *list) UnmarshalYAML(node *yaml.Node) error {
	*l = nil
	var texts []string
	if err := node.Decode(&texts); err == nil {
		*l = texts
	} else if node.Kind == yaml.ScalarNode && node.Tag == "!!str" {
		*l = []string{node.Value}
	}
	*l = slices.DeleteFunc(*l, func(text string) bool { return strings.TrimSpace(text) == "" })
	return nil
}

// The files that cloud-init reads, the last one that names a value counts.
const (
	cloudConfig  = "/etc/cloud/cloud.cfg"
	cloudConfigs = "/etc/cloud/cloud.cfg.d/*.cfg"
)

// readDefaultUser returns the default user of the image's cloud.cfg, nil if there is none.
func readDefaultUser(root *rootfs.Root) (*defaultUser, error) {
	more, err := root.Glob(cloudConfigs)
	if err != nil {
		return nil, err
	}
	var found struct {
		SystemInfo struct {
			DefaultUser *defaultUser `yaml:"default_user"`
		} `yaml:"system_info"`
	}
	for _, p := range append([]string{cloudConfig}, more...) {
		data, err := root.ReadFile(p, maxCloudConfig)
		if rootfs.IsNotExist(err) {
			continue
		}
		if err == nil {
			err = yaml.Unmarshal(data, &found)
		}
		if err != nil {
			return nil, fmt.Errorf("reading the default user of %s: %w", p, err)
		}
	}
	return found.SystemInfo.DefaultUser, nil
}

// maxCloudConfig bounds such a file, in bytes.
const maxCloudConfig = 256 << 10
