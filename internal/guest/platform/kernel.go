package platform

import (
	"path"
	"slices"
	"strings"

	"snf-image/internal/guest/rootfs"
)

// Where the boot loaders keep what they give the kernel: GRUB's menu and its variables, and the
// menus of GRUB of old and of syslinux.
var (
	grubMenus  = []string{"/boot/grub*/grub.cfg", "/boot/efi/EFI/*/grub.cfg"}
	grubEnvs   = []string{"/boot/grub*/grubenv", "/boot/efi/EFI/*/grubenv"}
	otherMenus = []string{"/boot/grub/menu.lst", "/boot/grub/grub.conf", "/boot/*linux/*linux.c*"}
)

// maxBootConfig bounds such a file, in bytes, and maxMenus how many of one kind are read.
const (
	maxBootConfig = 1 << 20
	maxMenus      = 8
)

// text is what a file says, or a part of it.
type text struct{ text, file string }

// read returns the first files that match, at most count, without those that cannot be read or
// have more than limit bytes.
func read(root *rootfs.Root, count int, limit int64, patterns ...string) []text {
	var found []text
	for _, pattern := range patterns {
		files, _ := root.Glob(pattern) // one that cannot be searched tells nothing
		for _, p := range files[:min(len(files), count-len(found))] {
			if data, err := root.ReadFile(p, limit); err == nil {
				found = append(found, text{string(data), path.Clean(p)})
			}
		}
	}
	return found
}

// KernelOption returns the value that the boot loader of an image gives to an option of the
// kernel, and the file that does; "" for both where none does. Of the command lines of a loader
// that one counts which starts by itself: the default entry of the Boot Loader Specification, and
// else the first one in a file.
func KernelOption(root *rootfs.Root, option string) (value, file string) {
	menus := read(root, maxMenus, maxBootConfig, grubMenus...)
	vars := variables(read(root, maxMenus, maxBootConfig, grubEnvs...), menus)
	saved := vars["saved_entry"].text
	own, others := entries(root, entryFiles, bootDirs[0]), entries(root, entryFiles, bootDirs[1:]...)
	var lines []text
	used := false
	for _, menu := range menus {
		if slices.Contains(strings.Fields(menu.text), "blscfg") && len(own) > 0 {
			lines, used = append(lines, optionsOf(root, byGRUB(own, menu.text, saved))), true
		} else {
			lines = append(lines, text{commandLine(menu.text), menu.file})
		}
	}
	if !used {
		others = append(others, own...)
	}
	others = byName(append(others, entries(root, unifiedFiles, bootDirs...)...))
	lines = append(lines, optionsOf(root, bySystemdBoot(root, others, bootDirs)))
	for _, menu := range read(root, maxMenus, maxBootConfig, otherMenus...) {
		lines = append(lines, text{commandLine(menu.text), menu.file})
	}
	return first(lines, option, vars)
}

// ESPOption is KernelOption for an EFI system partition that is mounted by itself.
func ESPOption(esp *rootfs.Root, option string) (value, file string) {
	all := byName(append(entries(esp, entryFiles, ""), entries(esp, unifiedFiles, "")...))
	v := optionIn(optionsOf(esp, bySystemdBoot(esp, all, []string{""})), option, nil)
	return v.text, v.file
}

// first returns the value of an option in the first of the command lines that has it.
func first(lines []text, option string, vars map[string]text) (value, file string) {
	given := map[string]text{} // by a variable, however often a line has that
	for name, v := range vars {
		given["$"+name] = optionIn(v, option, nil)
		given["${"+name+"}"] = given["$"+name]
	}
	for _, line := range lines {
		if v := optionIn(line, option, given); v.text != "" {
			return v.text, v.file
		}
	}
	return "", ""
}

// quotes are what words are put in.
const quotes = `"'`

// optionIn returns the value of an option on a command line, where the last one counts. Some words
// stand for what is given.
func optionIn(line text, option string, given map[string]text) text {
	for _, word := range slices.Backward(strings.Fields(line.text)) {
		word = strings.Trim(word, quotes)
		if value, ok := strings.CutPrefix(word, option+"="); ok {
			return text{strings.Trim(value, quotes), line.file}
		}
		if v := given[word]; v.text != "" {
			return v
		}
	}
	return text{}
}

// grubVariables are those of GRUB that decide about the command line in systems that exist: the
// entry to start, and what entries of Red Hat's systems refer to. Others are not kept, of which a
// file can set any number.
var grubVariables = []string{"saved_entry", "kernelopts", "tuned_params"}

// variables returns those that GRUB's environment and menus set. What is there is not set
// anew: menus do so only where the environment has none.
func variables(environments, menus []text) map[string]text {
	vars := map[string]text{}
	set := func(line, file string) {
		name, value, _ := strings.Cut(line, "=")
		if _, known := vars[name]; known || !slices.Contains(grubVariables, name) {
			return
		}
		vars[name] = text{strings.Trim(strings.TrimSpace(value), quotes), file}
	}
	for _, e := range environments {
		for line := range strings.Lines(e.text) {
			set(line, e.file)
		}
	}
	for _, m := range menus {
		for line := range strings.Lines(m.text) {
			if assignment, ok := strings.CutPrefix(strings.TrimSpace(line), "set "); ok {
				set(strings.TrimSpace(assignment), m.file)
			}
		}
	}
	return vars
}

// commandLine returns the first command line in a menu.
func commandLine(menu string) string {
	for line := range strings.Lines(menu) {
		if words := strings.Fields(line); len(words) > 0 && startsKernel(words) {
			return line
		}
	}
	return ""
}

// startsKernel reports whether a line holds the command line of a kernel. One that names the
// kernel alone, as in syslinux, does not.
func startsKernel(words []string) bool {
	switch strings.ToLower(words[0]) {
	case "linux", "linux16", "linuxefi", "kernel":
		return len(words) > 2
	case "append":
		return true
	}
	return false
}
