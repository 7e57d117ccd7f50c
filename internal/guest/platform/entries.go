package platform

import (
	"path"
	"slices"
	"strconv"
	"strings"

	"snf-image/internal/guest/rootfs"
)

// bootDirs are where the partitions with the entries of the Boot Loader Specification are mounted;
// GRUB looks in the first one.
var bootDirs = []string{"/boot", "/boot/efi", "/efi"}

// Where entries are below those: files with options, and unified kernel images.
const (
	entryFiles   = "/loader/entries/*.conf"
	unifiedFiles = "/EFI/Linux/*.[eE][fF][iI]"
)

// maxEntry bounds the file of an entry, in bytes.
const maxEntry = 16 << 10

// entries returns the files of entries below some directories, the newest first. What they say of
// their order is not looked at: the kernels of one system differ by the version in their names.
func entries(root *rootfs.Root, pattern string, dirs ...string) []string {
	var all []string
	for _, dir := range dirs {
		files, _ := root.Glob(dir + pattern) // one that cannot be searched tells nothing
		all = append(all, files...)
	}
	return byName(all)
}

func byName(files []string) []string {
	slices.SortStableFunc(files, func(a, b string) int { return compareVersions(path.Base(b), path.Base(a)) })
	return files
}

// preferred puts the entry first that a loader is told to start, by its number or name.
func preferred(files []string, told func(n int, name string) bool) []string {
	for n, f := range files {
		if told(n, path.Base(f)) {
			return slices.Concat(files[n:n+1], files[:n], files[n+1:])
		}
	}
	return files
}

// byGRUB puts the entry first that GRUB starts: the saved one, where the menu asks for that.
func byGRUB(files []string, menu, saved string) []string {
	if !strings.Contains(menu, `"${saved_entry}"`) {
		return files
	}
	return preferred(files, func(n int, name string) bool { return name == saved+".conf" || strconv.Itoa(n) == saved })
}

// bySystemdBoot puts the entry first that matches the pattern in the configuration of systemd-boot,
// of the first directory from the end that has one. What its variables in the firmware say is not
// on the disk.
func bySystemdBoot(root *rootfs.Root, files, dirs []string) []string {
	for _, dir := range slices.Backward(dirs) {
		if conf, err := root.ReadFile(dir+"/loader/loader.conf", maxEntry); err == nil {
			pattern := strings.ToLower(valueOf(string(conf), "default"))
			return preferred(files, func(_ int, name string) bool {
				ok, _ := path.Match(pattern, strings.ToLower(name))
				return ok
			})
		}
	}
	return files
}

// optionsOf returns the options of the first of the entries that can be read.
func optionsOf(root *rootfs.Root, files []string) text {
	for _, p := range files {
		if !strings.HasSuffix(p, ".conf") {
			if line, ok := unified(root, p); ok {
				return text{line, path.Clean(p)}
			}
		} else if data, err := root.ReadFile(p, maxEntry); err == nil {
			return text{valueOf(string(data), "options"), path.Clean(p)}
		}
	}
	return text{}
}

// valueOf returns what a file of lines gives to a key, which may be given more than once.
func valueOf(data, key string) string {
	var values []string
	for line := range strings.Lines(data) {
		if words := strings.Fields(line); len(words) > 1 && words[0] == key {
			values = append(values, words[1:]...)
		}
	}
	return strings.Join(values, " ")
}
