package task

import (
	"snf-image/internal/guest/inspect"
	"snf-image/internal/spec"
)

// step is one task: what does it on each family of systems. A task without a function
// for a family is not for that family.
type step struct {
	name string
	// check finds out, before the first write to a living Linux, what the task would
	// fail with. It is nil where only Prepare can tell.
	check func(r *Run) error
	// legacy is Windows before NT 6: XP and Server 2003.
	linux, windows, legacy, bsd Func
}

// steps returns the tasks of this version. Their order, and which of them run while the
// image is mounted, is that of spec.AllTasks.
func steps() []step {
	return []step{
		{spec.FixPartitionTable, nil, fixPartitionTable, fixPartitionTable, fixPartitionTable, fixPartitionTable},
		{spec.FilesystemResizeUnmounted, nil, resizeUnmounted, resizeUnmounted, resizeUnmounted, resizeUnmounted},
		{spec.MountImage, nil, mountImage, mountWindows, mountWindows, nil},
		{spec.InitializeDatasource, checkDatasource, initializeDatasource, noDatasource, noDatasource, noDatasource},
		{spec.InstallUnattend, nil, nil, installUnattend, installSysprep, nil},
		{spec.FilesystemResizeMounted, nil, resizeMounted, extendWindows, nil, nil},
		{spec.AddSwap, checkSwap, addSwap, noSwap, noSwap, noSwap},
		{spec.AssignHostname, checkHostname, assignHostname, nameWindows, nameLegacy, nil},
		{spec.ChangeMachineID, checkMachineID, changeMachineID, nil, nil, nil},
		{spec.ChangePassword, checkLogin, changePassword, changeWindowsPassword, changeWindowsPassword, nil},
		{spec.ConfigureNetwork, checkNetwork, configureNetwork, configureWindowsNetwork, configureWindowsNetwork, nil},
		{spec.DeleteSSHKeys, checkHostKeys, deleteSSHKeys, nil, nil, nil},
		{spec.DisableRemoteDesktopConnections, nil, nil, refuseRemoteDesktop, refuseRemoteDesktop, nil},
		{spec.EnforcePersonality, checkPersonality, enforcePersonality, enforceOnWindows, enforceOnWindows, nil},
		{spec.RunCustomTask, checkCustomTask, runCustomTask, runCustomTask, runCustomTask, runCustomTask},
		{spec.SELinuxAutorelabel, nil, selinuxAutorelabel, nil, nil, nil},
		{spec.UmountImage, nil, umountImage, umountImage, umountImage, umountImage},
		{spec.FilesystemResizeAfterUmount, nil, resizeAfterUmount, resizeAfterUmount, resizeAfterUmount, resizeAfterUmount},
	}
}

// find returns the step of that name.
func find(name string) (step, bool) {
	for _, s := range steps() {
		if s.name == name {
			return s, true
		}
	}
	return step{}, false
}

// on returns what does the task on a family, nil if it is not for it.
func (s step) on(family string) Func {
	switch family {
	case inspect.Windows:
		return s.windows
	case inspect.WindowsLegacy:
		return s.legacy
	case inspect.FreeBSD, inspect.NetBSD, inspect.OpenBSD:
		return s.bsd
	}
	return s.linux
}

// mounted reports whether the task runs while the image is mounted: a program of the
// image may replace it then.
func (s step) mounted() bool {
	t, ok := spec.LookupTask(s.name)
	return ok && t.Mounted
}

// family returns the family of the system, that of Linux before there was a look at it.
func (r *Run) family() string {
	if r.Inspection == nil || r.Inspection.OSFamily == "" {
		return inspect.Linux
	}
	return r.Inspection.OSFamily
}
