package spec

import (
	"slices"
	"strings"
)

// Task describes one configuration task (docs/reference.md, Tasks). The names are
// public: EXCLUDE_TASK_<NAME>, progress messages and task overwriting use them.
type Task struct {
	Name    string
	Order   int
	Mounted bool   // runs while the image is mounted (35 to 70)
	Doc     string // one line for the reference
	// Missing says in which version-independent words the task is not there
	// yet; empty for a task this version has.
	Missing string
}

// Names of the tasks of this version.
const (
	FixPartitionTable         = "FixPartitionTable"
	FilesystemResizeUnmounted = "FilesystemResizeUnmounted"
	MountImage                = "MountImage"
	InitializeDatasource      = "InitializeDatasource"
	FilesystemResizeMounted   = "FilesystemResizeMounted"
	AddSwap                   = "AddSwap"
	AssignHostname            = "AssignHostname"
	ChangeMachineID           = "ChangeMachineId"
	ChangePassword            = "ChangePassword"
	ConfigureNetwork          = "ConfigureNetwork"
	DeleteSSHKeys             = "DeleteSSHKeys"
	EnforcePersonality        = "EnforcePersonality"
	RunCustomTask             = "RunCustomTask"
	SELinuxAutorelabel        = "SELinuxAutorelabel"
	UmountImage               = "UmountImage"

	InstallUnattend                 = "InstallUnattend"
	DisableRemoteDesktopConnections = "DisableRemoteDesktopConnections"
	FilesystemResizeAfterUmount     = "FilesystemResizeAfterUmount"
)

// AllTasks returns every task in the order in which tasks run.
func AllTasks() []Task {
	return []Task{
		{FixPartitionTable, 10, false, "the last partition grows to the end of the disk, minus the requested swap partition", ""},
		{FilesystemResizeUnmounted, 20, false, "ext2, ext3 and ext4 file systems grow to their partition", ""},
		{MountImage, 30, false, "the root file system and everything in its fstab is mounted", ""},
		{InitializeDatasource, 35, true, "with the property CLOUD_INIT=yes: the NoCloud seed from which the image's cloud-init configures the machine at its first boot", ""},
		{InstallUnattend, 35, true, "the answer file of Windows is completed or made, with the scripts of the first boot", ""},
		{FilesystemResizeMounted, 40, true, "XFS and btrfs file systems grow to their partition; Windows grows its own at the first boot", ""},
		{AddSwap, 50, true, "the swap area is made and entered in fstab by UUID", ""},
		{AssignHostname, 50, true, "the instance name becomes the host name", ""},
		{ChangeMachineID, 50, true, "a fresh /etc/machine-id and D-Bus copy; random seeds and DHCP leases of the image are removed", ""},
		{ChangePassword, 50, true, "password and authorized_keys of the users in USERS", ""},
		{ConfigureNetwork, 50, true, "the image's own network configuration describes the instance's NICs", ""},
		{DeleteSSHKeys, 50, true, "the image's SSH host keys are replaced by fresh ones", ""},
		{DisableRemoteDesktopConnections, 50, true, "no remote desktop until the set-up of Windows is complete", ""},
		{EnforcePersonality, 60, true, "the files of img_personality are injected", ""},
		{RunCustomTask, 70, true, "the program of CUSTOM_TASK runs with the image mounted", ""},
		{SELinuxAutorelabel, 75, false, "new files have the SELinux label of the image's policy; `/.autorelabel` where that cannot be done", ""},
		{UmountImage, 80, false, "the image is unmounted", ""},
		{FilesystemResizeAfterUmount, 81, false, "NTFS grows when all else is done; that of Windows by OFFLINE_NTFSRESIZE only, else when it starts", ""},
	}
}

// Excludable reports whether EXCLUDE_TASK_<NAME> may leave t out by itself.
func (t Task) Excludable() bool {
	return !slices.Contains([]string{MountImage, InitializeDatasource, InstallUnattend, UmountImage}, t.Name)
}

// LookupTask finds a task by its name in any case.
func LookupTask(name string) (Task, bool) {
	for _, t := range AllTasks() {
		if strings.EqualFold(t.Name, name) {
			return t, true
		}
	}
	return Task{}, false
}
