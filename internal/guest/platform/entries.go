package platform

import (
	"cmp"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"snf-image/internal/guest/rootfs"
)

// bootDirs are where the partitions with the entries of the Boot Loader Specification are mounted;
// GRUB looks in the first one.
var bootDirs = []string{"/boot", "/boot/efi", "/efi"}

// maxEntries is more than a system has kernels, and maxEntry bounds the file of an entry, in
// bytes.
const (
	maxEntries = 256
	maxEntry   = 16 << 10
)

// entry is one of the Boot Loader Specification: a file with options, or a unified kernel image.
type entry struct {
	id                               string // the name of its file, without the count of tries
	title, sortKey, machine, version string
	tried                            bool // in vain, as often as was allowed
	grub                             bool // where GRUB looks, and of the form that it knows
	options                          text
}

// entries returns those below some directories.
func entries(root *rootfs.Root, dirs []string) []entry {
	var all []entry
	for _, dir := range dirs {
		for _, f := range read(root, maxEntries, maxEntry, dir+"/loader/entries/*.conf") {
			e := parseEntry(f)
			e.grub = dir == bootDirs[0]
			all = append(all, e)
		}
		all = append(all, unified(root, dir)...)
	}
	return all
}

// counted finds the count of tries in the name of an entry: those left, and those that failed.
var counted = regexp.MustCompile(`\+(\d+)(-\d+)?(\.[^.]+)$`)

// newEntry returns an entry of that file.
func newEntry(file string) entry {
	name := path.Base(file)
	e := entry{id: name, options: text{file: file}}
	if m := counted.FindStringSubmatch(name); m != nil {
		e.id, e.tried = strings.TrimSuffix(name, m[0])+m[3], strings.Trim(m[1], "0") == ""
	}
	return e
}

// parseEntry reads the keys of an entry; options may be given more than once.
func parseEntry(f text) entry {
	e := newEntry(f.file)
	var options []string
	for line := range strings.Lines(f.text) {
		key, value, _ := strings.Cut(strings.TrimSpace(strings.ReplaceAll(line, "\t", " ")), " ")
		value = strings.TrimSpace(value)
		switch key {
		case "title":
			e.title = value
		case "sort-key":
			e.sortKey = value
		case "machine-id":
			e.machine = value
		case "version":
			e.version = value
		case "options":
			options = append(options, value)
		}
	}
	e.options.text = strings.Join(options, " ")
	return e
}

// byGRUB returns the entry that GRUB starts, if its menu has it look for entries and there are
// some: the saved one where the menu asks for that, by id, title or number, else the one with
// the highest id. One without options gets those of the menu.
func byGRUB(all []entry, menu string, vars map[string]variable) (entry, bool) {
	all = slices.DeleteFunc(slices.Clone(all), func(e entry) bool { return !e.grub })
	if !slices.Contains(strings.Fields(menu), "blscfg") || len(all) == 0 {
		return entry{}, false
	}
	slices.SortStableFunc(all, func(a, b entry) int { return compareVersions(b.id, a.id) })
	n := 0
	for _, v := range []string{"next_entry", "saved_entry"} {
		want := vars[v].value
		if want == "" || !strings.Contains(menu, `"${`+v+`}"`) {
			continue
		}
		is := func(e entry) bool { return strings.TrimSuffix(e.id, ".conf") == want || e.title == want }
		if i := slices.IndexFunc(all, is); i >= 0 {
			n = i
		} else if i, err := strconv.Atoi(want); err == nil && i >= 0 && i < len(all) {
			n = i
		}
		break
	}
	e := all[n]
	if e.options.text == "" {
		e.options.text = "$default_kernelopts"
	}
	return e, true
}

// loaderConf returns the configuration of systemd-boot.
func loaderConf(root *rootfs.Root, dirs []string) string {
	for _, dir := range slices.Backward(dirs) {
		if data, err := root.ReadFile(dir+"/loader/loader.conf", maxEntry); err == nil {
			return string(data)
		}
	}
	return ""
}

// bySystemdBoot returns the entry that systemd-boot starts: the first one that matches the
// pattern of its configuration, else the first of all. What its variables in the firmware say is
// not on the disk.
func bySystemdBoot(all []entry, conf string) (entry, bool) {
	if len(all) == 0 {
		return entry{}, false
	}
	all = slices.Clone(all)
	slices.SortStableFunc(all, entry.compare)
	for line := range strings.Lines(conf) {
		words := strings.Fields(line)
		if len(words) < 2 || words[0] != "default" {
			continue
		}
		matches := func(e entry) bool {
			id, pattern := strings.ToLower(e.id), strings.ToLower(words[1])
			whole, _ := path.Match(pattern, id) // of old without the ending
			short, _ := path.Match(pattern, strings.TrimSuffix(id, ".conf"))
			return whole || short
		}
		if i := slices.IndexFunc(all, matches); i >= 0 {
			return all[i], true
		}
	}
	return all[0], true
}

// compare orders entries as the Boot Loader Specification has them in a menu ("Sorting"), the first
// one lowest.
func (e entry) compare(other entry) int {
	last := func(is bool) int {
		if is {
			return 1
		}
		return 0
	}
	order := cmp.Or(last(e.tried)-last(other.tried), last(e.sortKey == "")-last(other.sortKey == ""))
	if order == 0 && e.sortKey != "" {
		order = cmp.Or(cmp.Compare(e.sortKey, other.sortKey), cmp.Compare(e.machine, other.machine), compareVersions(other.version, e.version))
	}
	return cmp.Or(order, compareVersions(other.id, e.id))
}
