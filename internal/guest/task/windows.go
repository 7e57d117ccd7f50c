package task

import (
	"time"

	"snf-image/internal/guest/inspect"
	"snf-image/internal/guest/windows"
	"snf-image/internal/spec"
)

// windowsSystem returns what matters of the Windows that was found.
func (r *Run) windowsSystem() windows.System {
	s := windows.System{}
	s.Version(r.Inspection.Version)
	if s.Major == 0 && r.family() == inspect.Windows { // its registry does not say; the oldest of the family
		s.Major, s.Minor = 6, 1
	}
	if w := r.Inspection.Windows; w != nil {
		s.Architecture = w.Architecture
	}
	return s
}

// sealed returns why Windows is not going to be set up when it starts, or nil.
func (r *Run) sealed() error {
	if r.family() == inspect.WindowsLegacy {
		return windows.SealedLegacy(r.Root)
	}
	nt := inspect.NT{Unread: r.Unread}
	if w := r.Inspection.Windows; w != nil {
		nt.State = w.State
	}
	return nt.Sealed()
}

// now is the time of the host.
func (r *Run) now() time.Time { return time.Unix(r.Plan.UnixTime, 0) }

// answerFile returns the variable of programs that names the answer file, and its path, "" for
// none.
func (r *Run) answerFile() (variable, p string) {
	switch {
	case r.Root == nil:
	case r.family() == inspect.Windows:
		p, _ = windows.Answer(r.Root)
		return "UNATTEND", p
	case r.family() == inspect.WindowsLegacy && r.Root.IsRegular(windows.SysprepInf):
		return "SYSPREPINF", windows.SysprepInf
	}
	return "", ""
}

// credentials returns the secrets, none where the host sent none.
func (r *Run) credentials() spec.Credentials {
	if r.Credentials == nil {
		return spec.Credentials{}
	}
	return *r.Credentials
}
