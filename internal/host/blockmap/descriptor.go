package blockmap

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
)

// descriptor is what the text in a VMDK extent says of the disk (VMware, Virtual Disk Format
// 5.0, "The Descriptor File").
type descriptor struct {
	kind, parent, hint string
	extents            []string
}

// checkDescriptor refuses by name what text says the disk of size bytes takes beside this file.
func checkDescriptor(text []byte, size int64) error {
	text, _, _ = bytes.Cut(text, []byte{0})
	if len(text) == 0 {
		return notAlone()
	}
	d, err := parseDescriptor(string(text))
	if err != nil {
		return err
	}
	kind := strings.ToLower(d.kind)
	switch {
	case d.parent != "" && d.parent != "ffffffff", d.hint != "":
		return fmt.Errorf("%w: it holds only what differs from another image", ErrRefused)
	case kind != "monolithicsparse" && kind != "streamoptimized":
		return fmt.Errorf("%w: it is a VMDK of type %.40q, which takes other files", ErrRefused, d.kind)
	case len(d.extents) != 1:
		return fmt.Errorf("%w: its disk lies in %d files", ErrRefused, len(d.extents))
	}
	return checkExtent(d.extents[0], size)
}

// notAlone is the error of a file whose descriptor is in another one.
func notAlone() error {
	return fmt.Errorf("%w: it is one of several files of a split VMDK", ErrRefused)
}

// parseDescriptor reads the lines that matter.
func parseDescriptor(text string) (d descriptor, err error) {
	if !strings.HasPrefix(text, "# Disk DescriptorFile") {
		return d, fmt.Errorf("%w: its descriptor is not where it has to be", ErrDamaged)
	}
	seen := map[string]bool{}
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		word, _, _ := strings.Cut(line, " ")
		if word == "RW" || word == "RDONLY" || word == "NOACCESS" {
			d.extents = append(d.extents, line)
			continue
		}
		key, value, ok := strings.Cut(line, "=")
		key, value = strings.ToLower(strings.TrimSpace(key)), strings.Trim(strings.TrimSpace(value), `"`)
		if !ok || strings.HasPrefix(key, "#") {
			continue
		}
		switch {
		case strings.HasPrefix(key, "encryption"):
			return d, fmt.Errorf("%w: it is encrypted", ErrRefused)
		case key == "createtype":
			d.kind = value
		case key == "parentcid":
			d.parent = strings.ToLower(value)
		case key == "parentfilenamehint":
			d.hint = value
		default:
			continue
		}
		if seen[key] {
			return d, fmt.Errorf("%w: its descriptor says %s twice", ErrDamaged, key)
		}
		seen[key] = true
	}
	return d, nil
}

// checkExtent refuses an extent other than this file: its access, its sectors, its type and
// its name, which is not looked at.
func checkExtent(line string, size int64) error {
	words := strings.Fields(line)
	if len(words) < 4 || words[2] != "SPARSE" || words[0] == "NOACCESS" {
		return fmt.Errorf("%w: its disk lies in another file (%.60q)", ErrRefused, line)
	}
	if n, err := strconv.ParseInt(words[1], 10, 64); err != nil || n != size/sector {
		return fmt.Errorf("%w: its descriptor says %s sectors, its header %d", ErrDamaged, strconv.Quote(words[1]), size/sector)
	}
	return nil
}
