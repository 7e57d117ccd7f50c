package helper

import (
	"fmt"
	"time"

	version "github.com/knqyf263/go-deb-version"
)

// maxAge is how old the newest package of a helper image may be before it is
// worth a warning: by then the suite has had security updates of what the helper
// runs on hostile disks.
const maxAge = 90 * 24 * time.Hour

// minimum is the oldest version of a package that serves, and what goes wrong
// with older ones.
type minimum struct{ name, suite, version, reason string } // suite "": of all

// minimums are the packages whose older versions are known to do harm.
var minimums = []minimum{
	{"e2fsprogs", "", "1.47.1", "older resize2fs damages a file system with the feature orphan_file that it grows far"},
	{"ntfs-3g", "trixie", "1:2022.10.3-5+deb13u3", ntfsHoles},
	{"ntfs-3g", "bookworm", "1:2022.10.3-1+deb12u4", ntfsHoles},
}

const ntfsHoles = "older versions can be taken over by an NTFS file system (CVE-2026-42616 and others)"

// Concerns returns what there is to say at the time now against using the helper
// image m, which is intact: that it is old, or that it holds a version known to
// do harm. The remedy for all of them is a newer helper image.
func (m *Manifest) Concerns(now time.Time) []string {
	var concerns []string
	if newest, err := time.Parse(time.DateOnly, m.Newest); err == nil && now.Sub(newest) > maxAge {
		concerns = append(concerns, fmt.Sprintf("its newest package is of %s, %d days ago: security updates are missing",
			m.Newest, int(now.Sub(newest).Hours()/24)))
	}
	for _, p := range m.Packages {
		for _, least := range minimums {
			if p.Name == least.name && (least.suite == "" || least.suite == m.Suite) && older(p.Version, least.version) {
				concerns = append(concerns, fmt.Sprintf("%s %s is older than %s: %s", p.Name, p.Version, least.version, least.reason))
			}
		}
	}
	return concerns
}

// older reports whether the version a of a Debian package comes before b, as
// deb-version(7) orders them. A version that cannot be read counts as old.
func older(a, b string) bool {
	va, err := version.NewVersion(a)
	if err != nil {
		return true
	}
	vb, err := version.NewVersion(b)
	return err != nil || va.LessThan(vb)
}
