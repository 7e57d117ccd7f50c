// Package fstab reads the file of an image that says what is mounted where, and finds
// the volumes it names. It mounts nothing.
package fstab

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"snf-image/internal/guest/filesystem"
)

// Entry is a line of fstab(5).
type Entry struct {
	Spec, Point, Type string
	Options           []string
}

// optional reports whether the machine boots without the entry.
func (e Entry) optional() bool {
	return slices.Contains(e.Options, "noauto") || slices.Contains(e.Options, "nofail")
}

// Mounting is one file system to mount.
type Mounting struct {
	Volume filesystem.Volume
	Point  string // absolute path in the image, clean
	// Optional reports whether the machine boots without it.
	Optional bool
}

// ErrNotPersistent is the error of a device name that may mean another device
// at the next boot.
var ErrNotPersistent = errors.New("the device name is not persistent")

// ErrCoversRoot is the error of a mount point at which the tasks would lose the
// image.
var ErrCoversRoot = errors.New("the mount point leads to /, where it would cover the root file system")

// Parse returns the entries of an fstab. Lines it cannot make sense of are
// left out, as mount(8) does.
func Parse(data []byte) []Entry {
	var entries []Entry
	for line := range strings.Lines(string(data)) {
		fields := strings.FieldsFunc(strings.TrimRight(line, "\r\n"), isBlank)
		if len(fields) < 3 || strings.HasPrefix(fields[0], "#") {
			continue
		}
		e := Entry{Spec: unquote(fields[0]), Point: unquote(fields[1]), Type: fields[2]}
		if len(fields) > 3 {
			e.Options = strings.Split(fields[3], ",")
		}
		entries = append(entries, e)
	}
	return entries
}

// isBlank is what separates fields. Other
// white space, a no-break space for one, may be part of a name.
func isBlank(c rune) bool { return c == ' ' || c == '\t' }

// Resolve returns which volumes the entries mount where, besides the root, parents
// first. Entries that are not file systems on disks are left out; one that the
// machine needs and that names no volume, or none for certain, is an error. It
// returns a warning for each optional entry that could not be resolved.
func Resolve(entries []Entry, volumes []filesystem.Volume) (mounts []Mounting, warnings []string, err error) {
	for _, e := range entries {
		if e.skipped() {
			continue
		}
		v, err := e.find(volumes)
		switch {
		case slices.Contains(e.Options, "noauto"):
			continue
		case err != nil && e.optional():
			warnings = append(warnings, fmt.Sprintf("fstab: %s is not mounted: %v", e.Point, err))
			continue
		case err != nil:
			return nil, nil, fmt.Errorf("fstab entry %s for %s: %w", e.Spec, e.Point, err)
		}
		v.Subvolume = e.subvolume()
		point := path.Clean(e.Point)
		if point == "/" && strings.Trim(e.Point, "/") != "" { // not the root's own entry
			return nil, nil, fmt.Errorf("fstab entry %s for %s: %w", e.Spec, e.Point, ErrCoversRoot)
		}
		if point != "/" {
			mounts = append(mounts, Mounting{Volume: v, Point: point, Optional: e.optional()})
		}
	}
	slices.SortStableFunc(mounts, func(a, b Mounting) int {
		return strings.Count(a.Point, "/") - strings.Count(b.Point, "/")
	})
	return mounts, warnings, nil
}

// skipped reports whether the entry is not ours: pseudo and network file
// systems, swap, removable media, bind mounts and files.
func (e Entry) skipped() bool {
	if !strings.HasPrefix(e.Point, "/") || e.Type == "swap" || e.Type == "iso9660" || isNetwork(e.Type) ||
		slices.Contains(e.Options, "bind") || slices.Contains(e.Options, "rbind") {
		return true
	}
	if _, _, tagged := e.tag(); tagged {
		return false
	}
	return !strings.HasPrefix(e.Spec, "/dev/") || isRemovable(strings.TrimPrefix(e.Spec, "/dev/"))
}

func isNetwork(kind string) bool {
	return slices.Contains([]string{
		"nfs", "nfs4", "cifs", "smb3", "smbfs", "ncpfs", "9p", "virtiofs",
		"ceph", "glusterfs", "fuse.glusterfs", "fuse.sshfs", "afs", "ocfs2", "gfs2", "lustre",
	}, kind)
}

// isRemovable tells floppy and CD drives by their names.
func isRemovable(name string) bool {
	for _, prefix := range []string{"fd", "floppy", "cdrom", "cdrw", "dvd", "sr", "scd"} {
		if rest, ok := strings.CutPrefix(name, prefix); ok && strings.Trim(rest, "0123456789") == "" {
			return true
		}
	}
	return false
}

// tag splits NAME=value and /dev/disk/by-name/value.
func (e Entry) tag() (name, value string, ok bool) {
	if by, isBy := strings.CutPrefix(e.Spec, "/dev/disk/by-"); isBy {
		name, value, ok = strings.Cut(by, "/")
		return strings.ToUpper(name), unhex(value), ok
	}
	name, value, ok = strings.Cut(e.Spec, "=")
	if strings.HasPrefix(name, "/") {
		return "", "", false
	}
	return strings.ToUpper(name), strings.Trim(value, `"'`), ok
}

// find returns the volume the entry names.
func (e Entry) find(volumes []filesystem.Volume) (filesystem.Volume, error) {
	name, value, ok := e.tag()
	if !ok {
		if v, found := e.logical(volumes); found {
			return v, nil
		}
		return filesystem.Volume{}, e.nameError()
	}
	for _, v := range volumes {
		if has(v, name, value) {
			return v, nil
		}
	}
	return filesystem.Volume{}, errors.New("no disk of the instance has it")
}

// subvolume returns the option that selects a subvolume, or "".
func (e Entry) subvolume() string {
	for _, o := range e.Options {
		if strings.HasPrefix(o, "subvol=") || strings.HasPrefix(o, "subvolid=") {
			return o
		}
	}
	return ""
}

// mapped returns the name of a volume of LVM in /dev/mapper: a minus sign of one of the
// two names in it is doubled.
func mapped(v filesystem.Volume) string {
	return strings.ReplaceAll(v.Group, "-", "--") + "-" + strings.ReplaceAll(v.Logical, "-", "--")
}

// logical returns the volume of LVM that the entry names as /dev/mapper/GROUP-VOLUME or
// /dev/GROUP/VOLUME.
func (e Entry) logical(volumes []filesystem.Volume) (filesystem.Volume, bool) {
	i := slices.IndexFunc(volumes, func(v filesystem.Volume) bool {
		return v.Logical != "" && (e.Spec == "/dev/mapper/"+mapped(v) || e.Spec == "/dev/"+v.Group+"/"+v.Logical)
	})
	if i < 0 {
		return filesystem.Volume{}, false
	}
	return volumes[i], true
}

// nameError returns what is wrong with a plain device name.
func (e Entry) nameError() error {
	if strings.Count(e.Spec, "/") > 2 { // /dev/mapper/NAME, /dev/GROUP/NAME
		return errors.New("no LVM volume of the image has that name")
	}
	return ErrNotPersistent
}

func has(v filesystem.Volume, tag, value string) bool {
	if value == "" {
		return false
	}
	switch tag {
	case "ID":
		return v.Logical != "" && value == "dm-name-"+mapped(v)
	case "UUID":
		return strings.EqualFold(v.UUID, value)
	case "LABEL":
		return v.Label == value
	case "PARTUUID":
		return strings.EqualFold(v.PartUUID, value)
	case "PARTLABEL":
		return v.PartLabel == value
	}
	return false
}

// unquote replaces the octal escapes of fstab(5): \040 is a space.
func unquote(s string) string { return replaceEscapes(s, `\`, 3, 8) }

// unhex replaces the escapes of udev's link names: \x20 is a space.
func unhex(s string) string { return replaceEscapes(s, `\x`, 2, 16) }

// replaceEscapes replaces mark followed by that many digits of a base by the
// byte they stand for.
func replaceEscapes(s, mark string, digits, base int) string {
	var b strings.Builder
	for {
		before, after, ok := strings.Cut(s, mark)
		b.WriteString(before)
		if !ok {
			return b.String()
		}
		if len(after) >= digits {
			if c, err := strconv.ParseUint(after[:digits], base, 8); err == nil {
				b.WriteByte(byte(c))
				s = after[digits:]
				continue
			}
		}
		b.WriteString(mark)
		s = after
	}
}
