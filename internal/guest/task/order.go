package task

import "snf-image/internal/spec"

// step is one task of the plan.
type step struct {
	name    string
	run     Func
	mounted bool // runs while the image is mounted; the image may replace it
}

// steps returns all tasks of this version in the order of interface.md
// section 5.
func steps() []step {
	return []step{
		{spec.FixPartitionTable, fixPartitionTable, false},
		{spec.FilesystemResizeUnmounted, resizeUnmounted, false},
		{spec.MountImage, mountImage, false},
		{spec.AddSwap, addSwap, true},
		{spec.AssignHostname, assignHostname, true},
		{spec.ChangeMachineID, changeMachineID, true},
		{spec.ChangePassword, changePassword, true},
		{spec.ConfigureNetwork, configureNetwork, true},
		{spec.DeleteSSHKeys, deleteSSHKeys, true},
		{spec.EnforcePersonality, enforcePersonality, true},
		{spec.RunCustomTask, runCustomTask, true},
		{spec.UmountImage, umountImage, false},
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
