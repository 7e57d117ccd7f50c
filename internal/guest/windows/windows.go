// Package windows changes a Windows that is ready to be set up: answer file, scripts of the
// first boot, and the few values of its registry that have to be there before.
//
// It works on the mounted tree, NTFS that does not tell case apart. Files with secrets are
// those of its administrators and of the system alone, and are removed by the script that
// Windows runs when its set-up is complete.
package windows

import (
	"errors"
	"fmt"
	"path"
	"time"

	"snf-image/internal/guest/outcome"
	"snf-image/internal/guest/rootfs"
	"snf-image/internal/guest/system"
	"snf-image/internal/guest/windows/answer"
	"snf-image/internal/guest/windows/script"
)

// System is what matters of a Windows.
type System struct {
	Architecture string // "amd64", "x86", "arm64"
	Major, Minor int    // of NT
}

// Version sets Major and Minor by a text like "10.0.17763".
func (s *System) Version(text string) {
	_, _ = fmt.Sscanf(text, "%d.%d", &s.Major, &s.Minor)
}

// modern reports whether it is NT 6.2 or later: Windows 8, Server 2012.
func (s System) modern() bool { return s.Major > 6 || s.Major == 6 && s.Minor >= 2 }

// Attributes of what is made. The owner is the group of administrators, others than it and
// the system itself are not told what a secret file holds.
var (
	secret  = rootfs.Attr{Mode: 0o600}
	program = rootfs.Attr{Mode: 0o700}
	public  = rootfs.Attr{Mode: 0o755}
)

// ErrNoAnswer is the error of a task that needs the answer file when there is none.
var ErrNoAnswer = errors.New("there is no answer file")

// Answer returns the path of the answer file that is in force once InstallUnattend has run.
func Answer(root *rootfs.Root) (string, error) {
	for _, p := range own() {
		if root.IsRegular(p) {
			return p, nil
		}
	}
	return "", outcome.Advise(ErrNoAnswer, "leave the task InstallUnattend in")
}

// own are the places of an image's own answer file, the first that is there counts.
func own() []string { return []string{"/unattend.xml", "/autounattend.xml"} }

// complete has the answer file say what c has.
func complete(g system.Guest, c answer.Completion) error {
	p, err := Answer(g.Root)
	if err != nil {
		return err
	}
	return g.Root.Edit(p, func(old []byte) ([]byte, error) { return answer.Complete(old, c) })
}

// setAside renames a file, so that it is kept but is not looked at.
func setAside(root *rootfs.Root, p string, now time.Time) (string, error) {
	to := setAsideAs(p, now)
	for n := 1; root.Has(to) && n < 100; n++ {
		to = fmt.Sprintf("%s.%d", setAsideAs(p, now), n)
	}
	return to, root.Rename(p, to)
}

// setAsideAs returns the name of a file that is set aside.
func setAsideAs(p string, now time.Time) string {
	return p + ".bak." + now.UTC().Format("20060102.150405")
}

// put writes a script, with its directory.
func put(root *rootfs.Root, p string, data []byte) error {
	if _, err := root.MkdirAll(path.Dir(p), program); err != nil {
		return err
	}
	return root.WriteFile(p, data, program)
}

// shown returns a path of the image as Windows writes it.
func shown(p string) string { return script.Path(p) }
