package spec

import "slices"

// living reports whether the disk holds a machine that is customized as it is.
func (s *Spec) living() bool {
	return s.Mode == ModeCustomize || s.Mode == ModeDeploy && s.Image == NoImage
}

// grows reports whether the last partition and its file system are to grow.
func (s *Spec) grows() bool {
	return !s.Asked || s.Grow || len(s.Disks) > 0 && s.Disks[0].Size > 0
}

// asksFor reports whether anything in the Spec asks for a task. On a new machine
// most tasks need no asking.
func (s *Spec) asksFor(task string) bool {
	if !s.Permits(task) {
		return false
	}
	switch task {
	case FixPartitionTable:
		return s.grows() || s.Swap != nil && s.Swap.Partition > 0
	case FilesystemResizeUnmounted, FilesystemResizeMounted, FilesystemResizeAfterUmount:
		return s.grows()
	case MountImage, SELinuxAutorelabel, UmountImage:
		return !s.Asked || s.asksForMounted()
	case InitializeDatasource:
		return s.UsesCloudInit() && (!s.Asked || s.asksForCloudInit())
	case AddSwap:
		return s.Swap != nil
	case AssignHostname:
		return s.Name != ""
	case ChangeMachineID, DeleteSSHKeys:
		return !s.Asked || s.NewIdentity
	case InstallUnattend:
		return !s.Asked || s.ProductKey != nil || s.AnswerFile != ""
	case DisableRemoteDesktopConnections: // which a new answer file would allow
		return !s.Asked || s.AnswerFile != ""
	case ChangePassword:
		return s.setsLogin()
	case ConfigureNetwork:
		return !s.Asked || len(s.NICs) > 0 || s.NoNIC
	case EnforcePersonality:
		return len(s.Files) > 0
	case RunCustomTask:
		return len(s.CustomTask) > 0
	}
	return true
}

// asksForMounted reports whether a task is asked for that needs the image
// mounted.
func (s *Spec) asksForMounted() bool {
	for _, t := range AllTasks() {
		if t.Mounted && t.Missing == "" && s.asksFor(t.Name) {
			return true
		}
	}
	return false
}

// asksForCloudInit reports whether something is asked for that cloud-init does in its mode.
func (s *Spec) asksForCloudInit() bool {
	return s.UserData != nil || slices.ContainsFunc([]string{
		AddSwap, AssignHostname, ChangePassword, ConfigureNetwork, DeleteSSHKeys, EnforcePersonality,
	}, s.asksFor)
}
