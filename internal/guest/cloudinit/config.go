package cloudinit

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"snf-image/internal/guest/outcome"
	"snf-image/internal/guest/rootfs"
)

// Config is what the image's cloud.cfg says, as far as it matters here.
type Config struct {
	// Users and FinalModules are lists whose entries are kept as they are.
	Users        entries   `yaml:"users"`
	FinalModules entries   `yaml:"cloud_final_modules"`
	ManageHosts  yaml.Node `yaml:"manage_etc_hosts"`
	SystemInfo   struct {
		Distro      yaml.Node    `yaml:"distro"`
		DefaultUser *DefaultUser `yaml:"default_user"`
		Network     struct {
			Renderers list `yaml:"renderers"`
		} `yaml:"network"`
	} `yaml:"system_info"`
}

// DefaultUser is what the image's cloud-init would make of its default user,
// system_info.default_user of cloud.cfg.
type DefaultUser struct {
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

// entries are those of a list; anything else counts as nothing.
type entries []any

// UnmarshalYAML takes a list.
func (e *entries) UnmarshalYAML(node *yaml.Node) error {
	if *e = nil; node.Kind == yaml.SequenceNode {
		return node.Decode((*[]any)(e))
	}
	return nil
}

// has reports whether one of the entries is one of the texts, or a list that begins with one:
// a module and how often it runs.
func (e entries) has(texts ...string) bool {
	return slices.ContainsFunc(e, func(entry any) bool {
		if l, ok := entry.([]any); ok && len(l) > 0 {
			entry = l[0]
		}
		text, ok := entry.(string)
		return ok && slices.Contains(texts, text)
	})
}

// The files that cloud-init reads, the last one that names a value counts. Of the
// directories the first that exists is its own.
const (
	cloudConfig = "/etc/cloud/cloud.cfg"
	ownSettings = "98_snf-image-"
)

var cloudConfigDirs = []string{"/etc/cloud/cloud.cfg.d", "/usr/local/etc/cloud/cloud.cfg.d"}

// ReadConfig returns what the image's cloud.cfg says, without what we wrote beside it.
func ReadConfig(root *rootfs.Root) (Config, error) {
	var found Config
	files := []string{cloudConfig, "/usr/local" + cloudConfig}
	for _, dir := range cloudConfigDirs {
		more, err := root.Glob(dir + "/*.cfg")
		if err != nil {
			return found, err
		}
		files = append(files, more...)
	}
	for _, p := range files {
		if strings.HasPrefix(path.Base(p), ownSettings) {
			continue
		}
		data, err := root.ReadFile(p, maxConfig)
		if rootfs.IsNotExist(err) {
			continue
		}
		if err == nil {
			err = yaml.Unmarshal(data, &found)
		}
		if err != nil {
			return found, errConfig(p, err)
		}
	}
	return found, nil
}

// errConfig is the error of a file of the image that cannot be read.
func errConfig(p string, err error) error {
	return outcome.Advise(fmt.Errorf("reading cloud-init's %s: %w", p, err), "correct or remove that file in the image")
}

// maxConfig bounds such a file, in bytes.
const maxConfig = 256 << 10

// RendersNetplan reports whether this cloud-init hands its network configuration over to
// netplan as it is. What its other renderers make of it lacks metrics, routes on the link and
// router advertisements, in all versions up to 26.2.
func (c Config) RendersNetplan(root *rootfs.Root) bool {
	order := c.SystemInfo.Network.Renderers
	if len(order) == 0 {
		order = list{"eni", "sysconfig", "netplan"}
	}
	for _, r := range order {
		switch {
		case r == "netplan":
			return slices.ContainsFunc([]string{"/usr/sbin/netplan", "/sbin/netplan", "/usr/bin/netplan"}, root.Exists)
		case r == "eni" && !slices.ContainsFunc([]string{"/usr/sbin/ifup", "/sbin/ifup", "/usr/bin/ifup"}, root.Exists):
		case r == "sysconfig" && !root.Exists("/etc/sysconfig/network-scripts") && !root.Exists("/etc/sysconfig/network"):
		default:
			return false
		}
	}
	return false
}

var versionLine = regexp.MustCompile(`(?m)^__VERSION__ = "(\d{1,4})\.(\d{1,4})`)

// knowsHashLists reports whether this cloud-init takes password hashes as a list of users
// (22.2). One whose version cannot be told is taken for a newer one.
func knowsHashLists(root *rootfs.Root) bool {
	for _, pattern := range []string{"/usr/lib/python3*/*-packages/cloudinit/version.py", "/usr/local/lib/python3*/*-packages/cloudinit/version.py"} {
		files, err := root.Glob(pattern)
		if err != nil {
			continue
		}
		for _, p := range files {
			data, err := root.ReadFile(p, maxFile)
			if m := versionLine.FindSubmatch(data); err == nil && m != nil {
				major, _ := strconv.Atoi(string(m[1]))
				minor, _ := strconv.Atoi(string(m[2]))
				return major > 22 || major == 22 && minor >= 2
			}
		}
	}
	return true
}
