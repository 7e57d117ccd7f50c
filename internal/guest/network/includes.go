package network

import (
	"bytes"
	"fmt"
	"path"
	"slices"

	"snf-image/internal/guest/netconf"
	"snf-image/internal/guest/rootfs"
	"snf-image/internal/guest/system"
)

// Bounds of interfaces files: bytes of one, and how many it may include over all
// depths.
const (
	maxInterfaces = 1 << 20
	maxIncludes   = 1000
)

// disableIncluded disables the Ethernet stanzas of every file that the content
// of /etc/network/interfaces includes.
func disableIncluded(g system.Guest, data []byte) error {
	return walkIncluded(g, data, disableFile)
}

// checkIncluded finds out, without writing, what disableIncluded would fail with, and what
// keeps the file that includes them from being read.
func checkIncluded(g system.Guest) error {
	data, err := g.Root.ReadFile(interfacesFile, maxInterfaces)
	if rootfs.IsNotExist(err) {
		return nil
	}
	if err != nil {
		return err
	}
	g.Warn = func(string, ...any) {} // disableIncluded gives the warnings
	return walkIncluded(g, data, checkFile)
}

// walkIncluded visits every file that the content of /etc/network/interfaces includes. visit
// returns those that a file includes itself.
func walkIncluded(g system.Guest, data []byte, visit func(g system.Guest, p string) ([]string, error)) error {
	seen := map[string]bool{interfacesFile: true}
	queue, err := included(g, data, interfacesDir)
	if err != nil {
		return err
	}
	for len(queue) > 0 {
		p := queue[0]
		queue = queue[1:]
		if seen[p] {
			continue
		}
		seen[p] = true
		if len(seen) > maxIncludes {
			return fmt.Errorf("%s includes more than %d files", interfacesFile, maxIncludes)
		}
		more, err := visit(g, p)
		if err != nil {
			return err
		}
		queue = append(queue, more...)
	}
	return nil
}

// checkFile finds out, without writing, what disableFile would fail with.
func checkFile(g system.Guest, p string) ([]string, error) {
	data, err := g.Root.ReadFile(p, maxInterfaces)
	if rootfs.IsNotExist(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if out, _ := netconf.DisableEthernet(data); !bytes.Equal(out, data) {
		if err := g.Root.Editable(p); err != nil {
			return nil, err
		}
	}
	return included(g, data, path.Dir(p))
}

// disableFile disables the Ethernet stanzas of one file and returns the files
// it includes itself.
func disableFile(g system.Guest, p string) (more []string, err error) {
	var names []string
	err = g.Root.Edit(p, func(old []byte) ([]byte, error) {
		if len(old) > maxInterfaces {
			return nil, fmt.Errorf("%w: more than %d bytes", rootfs.ErrTooLarge, maxInterfaces)
		}
		if more, err = included(g, old, path.Dir(p)); err != nil {
			return nil, err
		}
		var out []byte
		out, names = netconf.DisableEthernet(old)
		return out, nil
	})
	if rootfs.IsNotExist(err) {
		return nil, nil
	}
	if err == nil && len(names) > 0 {
		g.Log.Info("disabled stanzas", "file", p, "interfaces", names)
	}
	return more, err
}

// included returns the files that the source lines in data read.
func included(g system.Guest, data []byte, dir string) ([]string, error) {
	var files []string
	sources := netconf.Sources(data)
	if len(sources) > maxIncludes {
		return nil, fmt.Errorf("an interfaces file includes more than %d patterns", maxIncludes)
	}
	for _, line := range sources {
		pattern, directory, ok := netconf.SourcePattern(line, dir)
		if !ok {
			g.Warn("left out of the search for other configurations: %q", line)
			continue
		}
		found, err := g.Root.Glob(pattern)
		if err != nil {
			return nil, err
		}
		if directory {
			found = entries(g.Root, found)
		}
		files = append(files, slices.DeleteFunc(found, func(p string) bool { return !g.Root.IsRegular(p) })...)
	}
	return files, nil
}

// entries returns the files source-directory reads in the directories.
func entries(root *rootfs.Root, dirs []string) []string {
	var files []string
	for _, dir := range dirs {
		names, err := root.ReadDir(dir)
		if err != nil {
			continue // as ifupdown does with anything but a directory
		}
		for _, name := range names {
			if netconf.ReadByDirectory(name) {
				files = append(files, dir+"/"+name)
			}
		}
	}
	return files
}
