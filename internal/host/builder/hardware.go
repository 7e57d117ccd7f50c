package builder

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"snf-image/internal/host/diskuri"
	"snf-image/internal/host/problem"
	"snf-image/internal/host/values"
	"snf-image/internal/spec"
)

// buildDisks sets Disks and the size of the first one.
func (b *builder) buildDisks() {
	if b.in.Mode == spec.ModeCheck {
		return
	}
	b.spec.Disks = slices.Clone(b.in.Disks)
	fail := func(path, message string, rule error) {
		b.Report(problem.Problem{Severity: problem.Error, Origin: b.in.DiskOrigin, Path: path, Message: message, Rule: rule})
	}
	if len(b.in.Disks) == 0 {
		fail("", "no disk is given", ErrRequired)
		return
	}
	if first := b.in.Disks[0]; first.ReadOnly && (b.in.Mode == spec.ModeDeploy || b.in.Mode == spec.ModeCustomize) {
		fail("disk[0]", "the first disk is read-only", ErrDisk)
	}
	for i, d := range b.in.Disks {
		path := fmt.Sprintf("disk[%d]", i)
		if d.Path == "" && d.URI == "" {
			fail(path, "neither a path nor a URI", ErrDisk)
		}
		if d.Path != "" && slices.ContainsFunc(b.in.Disks[:i], func(e spec.Disk) bool { return e.Path == d.Path }) {
			fail(path, "disk "+problem.Quote(d.Path)+" given twice", ErrDisk)
		}
		if d.Path == "" && d.URI != "" {
			b.checkURI(i, path)
		}
	}
	b.buildDiskFormat()
	if b.in.Size == "" {
		return
	}
	size, err := values.ParseSize(b.in.Size)
	if err != nil {
		b.Report(problem.Problem{Severity: problem.Error, Origin: "--size", Message: err.Error(), Rule: values.ErrSize})
	}
	b.spec.Disks[0].Size = size
}

// buildDiskFormat sets the format of the disk files.
func (b *builder) buildDiskFormat() {
	p := problem.Problem{Severity: problem.Error, Origin: "--disk-format", Remedy: "leave it out, or give raw or qcow2", Rule: ErrDisk}
	switch f := strings.ToLower(b.in.DiskFormat); f {
	case "":
	case "raw", "qcow2":
		for i := range b.spec.Disks {
			b.spec.Disks[i].Format = spec.Format(f)
		}
	default:
		p.Message = "the format " + problem.Quote(f) + " is unknown"
		b.Report(p)
	}
}

// checkURI checks the URI of a disk that has nothing else.
func (b *builder) checkURI(i int, path string) {
	d := b.in.Disks[i]
	report := func(err error, remedy string) {
		b.Report(problem.Problem{Severity: problem.Error, Origin: b.in.DiskOrigin, Path: path, Message: err.Error(), Remedy: remedy, Rule: ErrDisk})
	}
	err := diskuri.Check(d.URI)
	switch {
	case errors.Is(err, diskuri.ErrSecret):
		report(err, "let this node's configuration hold it, as ceph.conf and ssh keys do")
	case err != nil:
		report(err, "")
	case slices.ContainsFunc(b.in.Disks[:i], func(e spec.Disk) bool { return e.Path == "" && diskuri.Canonical(e.URI) == diskuri.Canonical(d.URI) }):
		report(errors.New("disk "+problem.Quote(diskuri.Mask(d.URI))+" given twice"), "")
	}
}
