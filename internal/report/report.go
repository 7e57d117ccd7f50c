// Package report holds what the agent tells the host: events while the plan
// runs, what it found on the disk, and exactly one result at the end; and what
// the host tells the administrator about a deployment.
//
// Everything that comes from the agent is untrusted: the host bounds it
// (Bounded) before it reaches a log, a monitor or a report.
package report

// Outcome says how a task ended.
type Outcome string

// The outcomes of a task.
const (
	Done    Outcome = "done"
	Warned  Outcome = "warned"  // done, with at least one warning
	Skipped Outcome = "skipped" // left out on purpose, Reason says why
	Failed  Outcome = "failed"
)

// EventKind distinguishes the events of a running plan.
type EventKind string

// The kinds of event. The host ignores kinds it does not know.
const (
	TaskStart EventKind = "task-start"
	TaskEnd   EventKind = "task-end"
	Warning   EventKind = "warning"
	Debug     EventKind = "debug"
	Changed   EventKind = "changed" // Messages say what on the disk, Files names files
)

// Event is one message of the agent while it runs the plan.
type Event struct {
	Kind     EventKind `json:"kind"`
	Task     string    `json:"task,omitempty"`
	Outcome  Outcome   `json:"outcome,omitempty"` // TaskEnd only
	Messages []string  `json:"messages,omitempty"`
	Files    []string  `json:"files,omitempty"` // Changed only: paths inside the image
}

// TaskResult accounts for one planned task.
type TaskResult struct {
	Name     string   `json:"name"`
	Outcome  Outcome  `json:"outcome"`
	Reason   string   `json:"reason,omitempty"` // of Skipped and Failed
	Warnings []string `json:"warnings,omitempty"`
	Seconds  float64  `json:"seconds"`
}

// Result is the agent's last message. Success is a result with this run's
// nonce in which no task failed and every planned task occurs exactly once.
type Result struct {
	Nonce string       `json:"nonce"`
	Tasks []TaskResult `json:"tasks"`
	// Changed names every file of the image that was written, made or removed,
	// as paths inside the image, sorted.
	Changed []string `json:"changed,omitempty"`
	// Error is why the plan stopped, empty on success. Remedy goes with it.
	Error  string `json:"error,omitempty"`
	Remedy string `json:"remedy,omitempty"`
	// TimedOut says that the plan stopped because its time was up.
	TimedOut bool `json:"timed_out,omitempty"`
}

// Inspection is what the agent found on the first disk before it changed
// anything.
type Inspection struct {
	// Format and Layers are how the image is stored. The host knows.
	Format string   `json:"format,omitempty"`
	Layers []string `json:"layers,omitempty"`

	Table      string      `json:"table"` // "gpt", "dos" or "none"
	TableID    string      `json:"table_id,omitempty"`
	DiskBytes  int64       `json:"disk_bytes"`
	Partitions []Partition `json:"partitions,omitempty"`
	Volumes    []Volume    `json:"volumes,omitempty"` // of LVM

	OSFamily string `json:"os_family,omitempty"`
	// Root names the volume with the root file system, as it is called in the helper:
	// "disk-a3". RootPartition is the partition it is or lies in, 0 on a disk without a
	// partition table.
	Root          string `json:"root,omitempty"`
	RootPartition int    `json:"root_partition,omitempty"`
	// Distribution and Version are ID and VERSION_ID of os-release(5), Pretty
	// its PRETTY_NAME.
	Distribution string `json:"distribution,omitempty"`
	Version      string `json:"version,omitempty"`
	Pretty       string `json:"pretty,omitempty"`
	Hostname     string `json:"hostname,omitempty"`
	// Init names the program that starts the system ("systemd"). CloudInit reports
	// whether the image's cloud-init runs at boot, and why, as a text; empty without one.
	Init      string `json:"init,omitempty"`
	CloudInit string `json:"cloud_init,omitempty"`
	// Network names the network configuration system found ("ifupdown").
	Network string `json:"network,omitempty"`
	// NetworkReason is what shows that the image uses it.
	NetworkReason string `json:"network_reason,omitempty"`
	// Users are the accounts somebody could log in to: root and those with a
	// shell and a password or an authorized_keys file.
	Users []string `json:"users,omitempty"`
	// Accounts are the same, with how.
	Accounts []Account `json:"accounts,omitempty"`
	// HostKeyTypes are the SSH host key types the image's sshd would use, in
	// its order: "rsa", "ecdsa", "ed25519"; empty without an SSH server.
	HostKeyTypes []string `json:"host_key_types,omitempty"`
	// SELinux is nil where the system has no configuration of it.
	SELinux *SELinux `json:"selinux,omitempty"`
	// Processor is the level of the x86-64 processor that the system's programs need
	// ("x86-64-v2"), empty where they do not tell.
	Processor string `json:"processor,omitempty"`
	// Windows is what there is to know of a Windows, nil for other systems.
	Windows *Windows `json:"windows,omitempty"`
	// BootModes are the firmwares that start the disk: "bios", "uefi". EFILoaders are
	// the loaders that the second one finds ("BOOTX64.EFI"). Both are looked for by inspect,
	// and where Ganeti tells the firmware.
	BootModes  []string `json:"boot_modes,omitempty"`
	EFILoaders []string `json:"efi_loaders,omitempty"`
	// RootFilesystem is the type of the root file system, RootFeatures names what a kernel
	// has to know to mount it.
	RootFilesystem string   `json:"root_filesystem,omitempty"`
	RootFeatures   []string `json:"root_features,omitempty"`
	// SmallestDisk is the size in bytes of the smallest disk the image fits, LargestDisk how
	// many bytes of a disk its partition table can make use of, 0 for all that there are.
	SmallestDisk int64    `json:"smallest_disk,omitempty"`
	LargestDisk  int64    `json:"largest_disk,omitempty"`
	Warnings     []string `json:"warnings,omitempty"`
}

// Windows is what its registry tells of a Windows. The version is that of the Inspection.
type Windows struct {
	Architecture string `json:"architecture,omitempty"` // "amd64", "x86", "arm64"
	// State is the ImageState: whether it is ready to become a new machine.
	State string `json:"image_state,omitempty"`
}

// Account is an account of the image.
type Account struct {
	Name     string `json:"name"`
	Password string `json:"password"` // "set", "empty", "locked", or "none", which nothing matches
	Keys     bool   `json:"keys,omitempty"`
	Expired  bool   `json:"expired,omitempty"`
	// NoShell is the shell, if it lets nobody in.
	NoShell string `json:"no_shell,omitempty"`
	// SSHPassword and SSHKeys are Taken if the SSH server takes these from the user, else why
	// it does not. They are empty without a server.
	SSHPassword string `json:"ssh_password,omitempty"`
	SSHKeys     string `json:"ssh_keys,omitempty"`
}

// Taken is what an Account says of what the SSH server takes.
const Taken = "yes"

// SELinux is what a system says about SELinux.
type SELinux struct {
	Mode     string `json:"mode"`             // "enforcing", "permissive" or "disabled"
	Policy   string `json:"policy,omitempty"` // "targeted"
	Labelled bool   `json:"labelled"`         // its files have labels
}

// Partition is one entry of the partition table.
type Partition struct {
	Number int    `json:"number"`
	Start  int64  `json:"start"` // bytes
	Size   int64  `json:"size"`  // bytes
	Type   string `json:"type"`  // "83" or a type GUID
	Name   string `json:"name,omitempty"`
	UUID   string `json:"uuid,omitempty"`
	Contents
}

// Volume is a logical volume of LVM.
type Volume struct {
	Group     string `json:"group"`
	Name      string `json:"name"`
	Partition int    `json:"partition,omitempty"` // where it begins; 0 on a disk without a table
	Size      int64  `json:"size"`                // bytes
	Contents
}

// Contents is what a partition or a volume holds.
type Contents struct {
	// Filesystem is blkid's TYPE; of a volume that is recognized and not mapped it says why:
	// "lvm-thin".
	Filesystem string `json:"filesystem,omitempty"`
	Label      string `json:"label,omitempty"`
	FSUUID     string `json:"fs_uuid,omitempty"`
	// Features names what a kernel has to know to mount the file system.
	Features []string `json:"features,omitempty"`
	// Least is how many bytes the file system has when its own tool makes it as small as it
	// can; those that it has where it does not shrink. 0 where that is not known.
	Least int64 `json:"least_bytes,omitempty"`
}
