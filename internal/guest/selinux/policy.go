package selinux

import (
	"bytes"
	"errors"
	"fmt"
	"path"
	"strings"

	"snf-image/internal/guest/etc"
	"snf-image/internal/guest/rootfs"
)

// Paths of selinux_config(5) and selabel_file(5).
const (
	Config   = "/etc/selinux/config"
	policies = "/etc/selinux"
	// maxContexts bounds a file of contexts; those of a large policy have half a MiB.
	maxContexts = 8 << 20
)

// ErrNoContexts is the error of a policy that has no file contexts as text.
var ErrNoContexts = errors.New("the policy has no file contexts as text")

// State is what the image says about SELinux.
type State struct {
	Mode string // "enforcing", "permissive", "disabled"; empty without a configuration
	Type string // the name of the policy
}

// Enabled reports whether the image's files are to have labels.
func (s State) Enabled() bool { return s.Mode == "enforcing" || s.Mode == "permissive" }

// Look reads whether the image uses SELinux, and with which policy.
func Look(root *rootfs.Root) (State, error) {
	data, err := root.ReadFile(Config, rootfs.MaxConfig)
	if rootfs.IsNotExist(err) {
		return State{}, nil
	}
	if err != nil {
		return State{}, err
	}
	v := etc.ParseAssignments(data)
	s := State{Mode: strings.ToLower(v["SELINUX"]), Type: v["SELINUXTYPE"]}
	if s.Mode != "disabled" && !s.Enabled() {
		s.Mode = ""
	}
	return s, nil
}

// Load reads the file contexts of the image's policy.
func (s State) Load(root *rootfs.Root) (*Contexts, error) {
	if s.Type == "" || strings.Contains(s.Type, "/") || s.Type == ".." {
		return nil, fmt.Errorf("%w: %s names no policy", ErrNoContexts, Config)
	}
	base := path.Join(policies, s.Type, "contexts/files/file_contexts")
	var d Definition
	for _, suffix := range []string{"", ".homedirs", ".local"} {
		data, err := root.ReadFile(base+suffix, maxContexts)
		switch {
		case err == nil:
			d.Contexts = append(d.Contexts, File{base + suffix, data})
		case !rootfs.IsNotExist(err):
			return nil, err
		case suffix == "":
			return nil, fmt.Errorf("%w: there is no %s", ErrNoContexts, base)
		}
	}
	for suffix, to := range map[string]*[]byte{".subs": &d.Subs, ".subs_dist": &d.Dist} {
		data, err := root.ReadFile(base+suffix, maxContexts)
		if err != nil && !rootfs.IsNotExist(err) {
			return nil, err
		}
		*to = data
	}
	d.FirstWins = compiledByNew(root, base+".bin")
	c, err := d.Parse()
	if err != nil {
		return nil, err
	}
	c.customizable = customizable(root, path.Join(policies, s.Type, "contexts/customizable_types"))
	return c, nil
}

// customizable reads the types of the labels that an administrator may give to any file, one
// on each line (customizable_types(5)).
func customizable(root *rootfs.Root, name string) map[string]bool {
	data, _ := root.ReadFile(name, rootfs.MaxConfig)
	types := map[string]bool{}
	for _, word := range strings.Fields(string(data)) {
		types[word] = true
	}
	return types
}

// compiledByNew reports whether the compiled form of the contexts was made by libselinux 3.8
// or later, which writes its numbers with the highest byte first.
func compiledByNew(root *rootfs.Root, name string) bool {
	data, err := root.ReadHead(name, 4)
	return err == nil && bytes.HasPrefix(data, []byte{0xf9, 0x7c, 0xff, 0x8a})
}
