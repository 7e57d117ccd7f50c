package spec

import (
	"slices"
	"strings"
)

// byCloudInit are the tasks whose work cloud-init does by itself, and those of Windows.
var byCloudInit = []string{
	FixPartitionTable, FilesystemResizeUnmounted, InstallUnattend, FilesystemResizeMounted,
	DisableRemoteDesktopConnections, FilesystemResizeAfterUmount,
}

// ExcludeAll reports whether no task runs at all.
func (s *Spec) ExcludeAll() bool { return s.Boolean(PropExcludeAll) }

// Exclusions returns the tasks that are left out and the property that says so.
func (s *Spec) Exclusions() map[string]string {
	out := map[string]string{}
	for _, t := range AllTasks() {
		if property := s.exclusion(t); property != "" {
			out[t.Name] = property
		}
	}
	return out
}

// exclusion returns the property that leaves t out, "" when t runs.
func (s *Spec) exclusion(t Task) string {
	own := PropExcludeTask + strings.ToUpper(t.Name)
	switch {
	case s.ExcludeAll():
		return PropExcludeAll
	case s.asksFor(InitializeDatasource) && slices.Contains(byCloudInit, t.Name):
		return PropCloudInit
	case s.Boolean(PropExcludeMounted) && t.Order >= 30 && t.Order <= 80:
		return PropExcludeMounted
	case s.Boolean(PropExcludeResize) && strings.HasPrefix(t.Name, "FilesystemResize"):
		return PropExcludeResize
	case t.Excludable() && s.Boolean(own):
		return own
	}
	return ""
}
