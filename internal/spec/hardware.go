package spec

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// buildDisks sets Disks and the size of the first one.
func (b *builder) buildDisks() {
	if b.in.Mode == ModeCheck {
		return
	}
	b.spec.Disks = slices.Clone(b.in.Disks)
	fail := func(path, message string, rule error) {
		b.Report(Problem{Severity: Error, Origin: b.in.DiskOrigin, Path: path, Message: message, Rule: rule})
	}
	if len(b.in.Disks) == 0 {
		fail("", "no disk is given", ErrRequired)
		return
	}
	if first := b.in.Disks[0]; first.ReadOnly && (b.in.Mode == ModeDeploy || b.in.Mode == ModeCustomize) {
		fail("disk[0]", "the first disk is read-only", ErrDisk)
	}
	for i, d := range b.in.Disks {
		path := fmt.Sprintf("disk[%d]", i)
		if d.Path == "" && d.URI == "" {
			fail(path, "neither a path nor a URI", ErrDisk)
		}
		if d.Path != "" && slices.ContainsFunc(b.in.Disks[:i], func(e Disk) bool { return e.Path == d.Path }) {
			fail(path, "disk "+shown(d.Path)+" given twice", ErrDisk)
		}
		if d.Path == "" && d.URI != "" {
			b.checkURI(i, path)
		}
	}
	b.buildDiskFormat()
	if b.in.Size == "" {
		return
	}
	size, err := ParseSize(b.in.Size)
	if err != nil {
		b.Report(Problem{Severity: Error, Origin: "--size", Message: err.Error(), Rule: ErrSize})
	}
	b.spec.Disks[0].Size = size
}

// buildDiskFormat sets the format of the disk files.
func (b *builder) buildDiskFormat() {
	p := Problem{Severity: Error, Origin: "--disk-format", Remedy: "leave it out, or give raw", Rule: ErrDisk}
	switch f := strings.ToLower(b.in.DiskFormat); f {
	case "":
	case "raw":
		for i := range b.spec.Disks {
			b.spec.Disks[i].Raw = true
		}
	case "qcow2":
		p.Message, p.Rule = "disk files in qcow2: not in this version", ErrNotInThisVersion
		b.Report(p)
	default:
		p.Message = "the format " + shown(f) + " is unknown"
		b.Report(p)
	}
}

// checkURI checks the URI of a disk that has nothing else.
func (b *builder) checkURI(i int, path string) {
	d := b.in.Disks[i]
	report := func(err error, remedy string) {
		b.Report(Problem{Severity: Error, Origin: b.in.DiskOrigin, Path: path, Message: err.Error(), Remedy: remedy, Rule: ErrDisk})
	}
	err := CheckDiskURI(d.URI)
	switch {
	case errors.Is(err, errDiskSecret):
		report(err, "let this node's configuration hold it, as ceph.conf and ssh keys do")
	case err != nil:
		report(err, "")
	case slices.ContainsFunc(b.in.Disks[:i], func(e Disk) bool { return e.Path == "" && CanonicalDiskURI(e.URI) == CanonicalDiskURI(d.URI) }):
		report(errors.New("disk "+shown(MaskDiskURI(d.URI))+" given twice"), "")
	}
}
