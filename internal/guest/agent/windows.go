package agent

import (
	"fmt"

	"snf-image/internal/guest/inspect"
	"snf-image/internal/guest/task"
	"snf-image/internal/report"
	"snf-image/internal/spec"
)

// enterNT enters what there is to know of a Windows into the inspection.
func (s *session) enterNT(found *report.Inspection, system inspect.System) {
	s.nt = system.NT
	if s.nt == nil {
		return
	}
	found.Windows = &report.Windows{Architecture: s.nt.Architecture, State: s.nt.State}
	found.Users = append(found.Users, system.Names...)
}

// unread returns why the registry of a Windows could not be read as a whole.
func (s *session) unread() error {
	if s.nt == nil {
		return nil
	}
	return s.nt.Unread
}

// suits returns why the system on the disk is not one that the tasks can work on, or nil.
func (s *session) suits(found *report.Inspection) error {
	if s.plan.Mode == spec.ModeInspect || len(s.plan.Tasks) == 0 {
		return nil
	}
	if err := task.Supported(found.OSFamily); err != nil {
		return err
	}
	windows := found.OSFamily == inspect.Windows
	if s.nt == nil || !windows && found.OSFamily != inspect.WindowsLegacy {
		return nil
	}
	if old := s.nt.Major < 6; s.nt.Major > 0 && old == windows {
		return &task.Remedied{
			Err:    fmt.Errorf("the system on the disk is Windows NT %d.%d, which is not of the family %s", s.nt.Major, s.nt.Minor, found.OSFamily),
			Remedy: "correct the property OSFAMILY: windows-legacy is Windows before NT 6, that is XP and Server 2003",
		}
	}
	if windows && s.plan.Mode == spec.ModeDeploy {
		return s.nt.Sealed()
	}
	return nil
}
