package network

import (
	"bytes"
	"path"
	"slices"
	"strings"

	"snf-image/internal/guest/rootfs"
)

// presetAtBoot reports whether the first boot enables a unit, systemd.preset(5): the machine
// has no id, or says so (machine-id(5)), and of all presets the first that matches enables it.
// Without one it is enabled.
func presetAtBoot(root *rootfs.Root, unit string) bool {
	id, err := root.ReadFile("/etc/machine-id", maxPreset)
	if !bySystemd(root) || err != nil && !rootfs.IsNotExist(err) || err == nil && strings.TrimSpace(string(id)) != "uninitialized" {
		return false
	}
	n := slices.IndexFunc(unitDirs, func(dir string) bool { return root.IsRegular(dir + unit) })
	if n < 0 {
		return false
	}
	definition, err := root.ReadFile(unitDirs[n]+unit, maxPreset)
	if err != nil || !bytes.Contains(definition, []byte("\nWantedBy=")) {
		return false
	}
	for _, p := range presets(root) {
		data, err := root.ReadFile(p, maxPreset)
		if err != nil {
			continue
		}
		for line := range strings.Lines(string(data)) {
			words := strings.Fields(line)
			if len(words) < 2 || words[0] != "enable" && words[0] != "disable" {
				continue
			}
			if ok, err := path.Match(words[1], unit); err == nil && ok {
				return words[0] == "enable"
			}
		}
	}
	return true
}

// presets returns the files of presets in the order in which systemd reads them: by their
// names, and of two with one name that of the administrator.
func presets(root *rootfs.Root) []string {
	var files []string
	for _, dir := range []string{"/etc/systemd/system-preset/", "/usr/lib/systemd/system-preset/", "/lib/systemd/system-preset/"} {
		found, _ := root.Glob(dir + "*.preset") // a directory that cannot be searched tells nothing
		for _, p := range found {
			if !slices.ContainsFunc(files, func(f string) bool { return path.Base(f) == path.Base(p) }) {
				files = append(files, p)
			}
		}
	}
	slices.SortFunc(files, func(a, b string) int { return strings.Compare(path.Base(a), path.Base(b)) })
	return files
}

// maxPreset bounds units and files of presets, in bytes.
const maxPreset = 64 << 10
