package spec

// buildScope lets KEEP_IDENTITY restrict the tasks on a disk that is customized
// as it is. With an image there is no identity to keep, and customize keeps it
// by itself.
func (b *builder) buildScope() {
	switch {
	case !b.spec.boolean(PropKeepIdentity):
	case b.in.Mode == ModeDeploy && b.spec.Image == imageNull:
		b.spec.Asked = true
	case b.in.Mode == ModeDeploy || b.in.Mode == ModeCustomize && !b.in.Asked && len(b.in.Only) == 0:
		b.reportProperty(Warning, ErrIgnored, PropKeepIdentity, "KEEP_IDENTITY has no effect here", "it is for img_id null")
	}
}

// checkAsked refuses a customization that would do nothing.
func (b *builder) checkAsked() {
	if b.in.Mode != ModeCustomize || !b.spec.Asked || b.spec.excludeAll() || b.problems.Err() != nil || len(b.spec.Tasks()) > 0 {
		return
	}
	b.Report(Problem{
		Severity: Error, Rule: ErrNothingAsked, Message: "nothing is asked for",
		Remedy: "say what is to be changed (--name, --password-file, --authorized-keys, --nic, --file, --grow, --new-identity …), or run every task with --all",
	})
}

// living reports whether the disk holds a machine that is customized as it is.
func (s *Spec) living() bool {
	return s.Mode == ModeCustomize || s.Mode == ModeDeploy && s.Image == imageNull
}

// grows reports whether the last partition and its file system are to grow.
func (s *Spec) grows() bool {
	return !s.Asked || s.Grow || len(s.Disks) > 0 && s.Disks[0].Size > 0
}

// asksFor reports whether anything in the Spec asks for a task. On a new machine
// most tasks need no asking.
func (s *Spec) asksFor(task string) bool {
	if !s.permits(task) {
		return false
	}
	switch task {
	case FixPartitionTable:
		return s.grows() || s.Swap != nil && s.Swap.Partition > 0
	case FilesystemResizeUnmounted, FilesystemResizeMounted, FilesystemResizeAfterUmount:
		return s.grows()
	case MountImage, UmountImage:
		return !s.Asked || s.asksForMounted()
	case AddSwap:
		return s.Swap != nil
	case AssignHostname:
		return s.Name != ""
	case ChangeMachineID, DeleteSSHKeys:
		return !s.Asked || s.NewIdentity
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
