package network

import (
	"snf-image/internal/guest/rootfs"
)

// places are the directories of programs.
var places = []string{"/sbin/", "/usr/sbin/", "/bin/", "/usr/bin/", "/usr/lib/systemd/", "/lib/systemd/"}

// installed reports whether the image has one of the programs.
func installed(root *rootfs.Root, names ...string) bool { return program(root, names...) != "" }

// program returns the path of one of the programs, "" when the image has none of them.
func program(root *rootfs.Root, names ...string) string {
	for _, name := range names {
		for _, dir := range places {
			if root.Exists(dir + name) {
				return dir + name
			}
		}
	}
	return ""
}

// matches reports whether a file matches the pattern.
func matches(root *rootfs.Root, pattern string) bool { return first(root, pattern) != "" }

// first returns the first file that matches the pattern, or "".
func first(root *rootfs.Root, pattern string) string {
	found, err := root.Glob(pattern)
	if err != nil || len(found) == 0 {
		return ""
	}
	return found[0]
}

// because returns the reason that there is a file, or "".
func because(file string) string {
	if file == "" {
		return ""
	}
	return "there is " + file
}
