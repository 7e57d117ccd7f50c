// Package spec describes a deployment: which image goes on which disk and what
// machine it becomes. A Spec is made from parameters, properties and flags,
// validated as a whole, and turned into the Plan the agent runs and the
// Credentials it gets afterwards.
//
// It does no input or output: nothing here opens a file or looks at the node.
package spec

import "slices"

// Spec is the validated description of one deployment.
type Spec struct {
	Mode Mode   `json:"mode"`
	Name string `json:"name"` // instance name, written as the host name
	// Only, when not empty, names the tasks that run, beside the mounting they
	// need.
	Only []string `json:"only,omitempty"`
	// Asked leaves out, on an installed machine, every task that nothing in the Spec
	// asks for. NewIdentity asks for machine-id and SSH host keys, Grow for growing
	// the last partition and its file system.
	Asked       bool `json:"asked,omitempty"`
	NewIdentity bool `json:"new_identity,omitempty"`
	Grow        bool `json:"grow,omitempty"`

	// Image is img_id (a path on the plain command line), Format img_format.
	// "null" as Image means: customize the disk as it is.
	Image  string `json:"image,omitempty"`
	Format Format `json:"format,omitempty"`

	// Fetched names the parameters whose values a URL delivered. They must not
	// name a file of the node (docs/security.md: who may name what).
	Fetched []string `json:"fetched,omitempty"`

	// Firmware is what starts the instance, "bios" or "uefi"; empty where that is not said.
	Firmware string `json:"firmware,omitempty"`

	Disks []Disk `json:"disks"`
	NICs  []NIC  `json:"nics,omitempty"`
	// NoNIC says that the machine has no network interface on purpose.
	NoNIC bool `json:"no_nic,omitempty"`
	// DNS, Search and MTU are for networks that are configured statically.
	DNS    []string `json:"dns,omitempty"`
	Search []string `json:"search,omitempty"`
	MTU    int      `json:"mtu,omitempty"`

	// Password nil means not set; a pointer to "" sets the empty password.
	Password       *Secret  `json:"password,omitempty"`
	PasswordHash   *Secret  `json:"password_hash,omitempty"`
	AuthorizedKeys []string `json:"authorized_keys,omitempty"`

	// Properties are image and instance properties merged, names in upper case.
	Properties map[string]string `json:"properties,omitempty"`
	// ImageProperties and InstanceProperties are the two before they were merged.
	ImageProperties    map[string]string `json:"image_properties,omitempty"`
	InstanceProperties map[string]string `json:"instance_properties,omitempty"`
	// Swap is the parsed property SWAP, CustomTask the decoded CUSTOM_TASK.
	Swap       *Swap  `json:"swap,omitempty"`
	CustomTask []byte `json:"custom_task,omitempty"`
	Files      []File `json:"files,omitempty"`

	ProductKey *Secret `json:"product_key,omitempty"`
	AnswerFile string  `json:"answer_file,omitempty"`
	UserData   *Secret `json:"user_data,omitempty"`
}

// FromURL reports whether a URL delivered the value of a parameter.
func (s *Spec) FromURL(parameter string) bool { return slices.Contains(s.Fetched, parameter) }

// Disk is one disk of the instance: a block device or a disk file, or, where Path
// is empty, what URI names.
type Disk struct {
	Path     string `json:"path"`
	URI      string `json:"uri,omitempty"`
	ReadOnly bool   `json:"read_only,omitempty"`
	// Size creates or extends a disk file to this many bytes; 0 leaves it.
	Size int64 `json:"size,omitempty"`
	// Format is that of a disk file: raw, whatever its bytes look like, or qcow2; empty for
	// a raw one that does not look like another format.
	Format Format `json:"format,omitempty"`
}

// Format names how the bytes of an image encode a disk.
type Format string

// The formats of this version and those that are known to come.
const (
	DiskDump Format = "diskdump" // dump of a whole disk
	Raw      Format = "raw"      // the same inside any layers
	ExtDump  Format = "extdump"
	NTFSDump Format = "ntfsdump"
	Qcow2    Format = "qcow2"
	VMDK     Format = "vmdk"
	VHD      Format = "vhd"
	VHDX     Format = "vhdx"
	VDI      Format = "vdi"
	Auto     Format = "auto" // whatever the bytes of the image say
)
