package spec

// Mode says what a run of the helper is for.
type Mode string

// The modes.
const (
	ModeDeploy    Mode = "deploy"    // the disk was just written from an image, its ends are apart
	ModeCustomize Mode = "customize" // the disk holds an installed machine
	ModeInspect   Mode = "inspect"   // look, change nothing
	ModeShell     Mode = "shell"     // an interactive shell on the disks
	ModeCheck     Mode = "check"     // the parameters of a deployment alone, no helper
)

// Plan is what the host tells the agent before the disk is ready. It holds no
// secret.
type Plan struct {
	Mode  Mode   `json:"mode"`
	Nonce string `json:"nonce"`
	// Tasks are the names of the tasks to run, in order. The agent accounts for
	// each of them exactly once in its result, also for those it leaves out.
	Tasks []string `json:"tasks,omitempty"`

	InstanceName string `json:"instance_name,omitempty"`
	// OSFamily and RootPartition are what the spec or the format says; the zero
	// value means: detect.
	OSFamily      string `json:"os_family,omitempty"`
	RootPartition int    `json:"root_partition,omitempty"`
	// Firmware is that of the Spec.
	Firmware string   `json:"firmware,omitempty"`
	Users    []string `json:"users,omitempty"` // never empty; default filled in by the host
	// AssumesUsers says that nothing named the users: on Windows it is another one.
	AssumesUsers bool `json:"assumes_users,omitempty"`
	// TimeZone is that of an answer file of Windows that is made.
	TimeZone string `json:"time_zone,omitempty"`
	Format   string `json:"format,omitempty"`
	// Properties are image and instance properties merged, names in upper case.
	Properties map[string]string `json:"properties,omitempty"`
	Exclude    map[string]string `json:"exclude,omitempty"` // task name → property that leaves it out
	Swap       *Swap             `json:"swap,omitempty"`
	// SwapOnly lets FixPartitionTable add the swap partition and grow nothing.
	SwapOnly bool `json:"swap_only,omitempty"`
	// CreateUsers makes the users that are missing, SSHPasswordLogin has the SSH server take
	// the passwords that are set, LeaveCloudInit lets the image's cloud-init run.
	CreateUsers      bool `json:"create_users,omitempty"`
	SSHPasswordLogin bool `json:"ssh_password_login,omitempty"`
	LeaveCloudInit   bool `json:"leave_cloud_init,omitempty"`
	// CloudInit has the image's cloud-init configure the machine, as the instance InstanceID,
	// and CloudInitDebug keeps what it was told.
	CloudInit      bool   `json:"cloud_init,omitempty"`
	CloudInitDebug bool   `json:"cloud_init_debug,omitempty"`
	InstanceID     string `json:"instance_id,omitempty"`
	// OverwriteTasks lets executables inside the image replace mounted tasks, also those of Tasks
	// that nothing asks for, which are Idle without one.
	OverwriteTasks bool     `json:"overwrite_tasks,omitempty"`
	Idle           []string `json:"idle,omitempty"`

	Disks []PlanDisk `json:"disks"`
	NICs  []NIC      `json:"nics,omitempty"`

	DHCPTags      []string `json:"dhcp_tags,omitempty"`
	StatefulTags  []string `json:"stateful_dhcpv6_tags,omitempty"`
	StatelessTags []string `json:"stateless_dhcpv6_tags,omitempty"`
	DefaultNIC    string   `json:"default_nic_config"`
	// DNS, Search and MTU are for networks that are configured statically.
	DNS              []string `json:"dns,omitempty"`
	Search           []string `json:"search,omitempty"`
	MTU              int      `json:"mtu,omitempty"`
	Debug            bool     `json:"debug,omitempty"` // report Debug events
	DebugShell       bool     `json:"debug_shell,omitempty"`
	WantsCredentials bool     `json:"wants_credentials,omitempty"`
	// SoftSeconds is the time the agent has from the moment it gets the disk of a living
	// machine, 0 for no limit: then it begins nothing more.
	SoftSeconds       int64  `json:"soft_seconds,omitempty"`
	UnixTime          int64  `json:"unix_time"`  // the host's clock, for dates in the image
	MachineID         string `json:"machine_id"` // 32 hexadecimal digits, for ChangeMachineId
	SwapUUID          string `json:"swap_uuid,omitempty"`
	SwapPartitionUUID string `json:"swap_partition_uuid,omitempty"` // GPT partition GUID of the swap partition
}

// Boolean reports whether a property of the plan says yes.
func (p *Plan) Boolean(name string) bool {
	yes, _ := ParseBool(p.Properties[name])
	return yes
}

// PlanDisk tells the agent how one disk of the instance appears in the helper.
type PlanDisk struct {
	// Serial is the virtio-blk serial of the body (the whole disk).
	Serial string `json:"serial"`
	// Head and Tail are the serials of the small devices that stand for the
	// first and the last EndSize bytes of the disk; empty when the disk is used
	// as it is.
	Head     string `json:"head,omitempty"`
	Tail     string `json:"tail,omitempty"`
	ReadOnly bool   `json:"read_only,omitempty"`
}

// EndSize is the number of bytes at each end of a disk that are written last
// (design: commit last).
const EndSize = 1 << 20

// Swap is the parsed property SWAP: a partition to make on the first disk
// (Partition, Megabytes) or a whole disk (Disk > 0).
type Swap struct {
	Partition int   `json:"partition,omitempty"`
	MiB       int64 `json:"mib,omitempty"`
	Disk      int   `json:"disk,omitempty"`
}

// NIC is one network interface of the instance, as Ganeti describes it.
type NIC struct {
	MAC          string   `json:"mac"`
	IP           string   `json:"ip,omitempty"`
	Name         string   `json:"name,omitempty"`
	Mode         string   `json:"mode,omitempty"`
	Link         string   `json:"link,omitempty"`
	Bridge       string   `json:"bridge,omitempty"`
	FrontendType string   `json:"frontend_type,omitempty"`
	Network      string   `json:"network,omitempty"`
	Subnet       string   `json:"subnet,omitempty"`
	Gateway      string   `json:"gateway,omitempty"`
	Subnet6      string   `json:"subnet6,omitempty"`
	Gateway6     string   `json:"gateway6,omitempty"`
	Tags         []string `json:"tags,omitempty"`

	// IP6 is a static IPv6 address beside IP. DHCP asks for DHCPv4 although
	// there is no IP.
	IP6  string `json:"ip6,omitempty"`
	DHCP bool   `json:"dhcp,omitempty"`
	// DNS and Search are the name servers and search domains of this NIC, MTU is
	// its largest packet; where they are missing those of the Plan count.
	DNS    []string `json:"dns,omitempty"`
	Search []string `json:"search,omitempty"`
	MTU    int      `json:"mtu,omitempty"`
}

// Unknown reports whether nothing is known about the addresses of n: as the only
// NIC it is the default NIC, which the configuration of the node decides about.
func (n NIC) Unknown() bool {
	return n.IP == "" && n.IP6 == "" && n.Gateway6 == "" && !n.DHCP
}

// Credentials is what the host sends once it knows the image: every secret of
// the deployment, made for this operating system.
type Credentials struct {
	// Hashes are crypt(3) hashes by user, nil when no password is to be set.
	Hashes map[string]Secret `json:"hashes,omitempty"`
	// AuthorizedKeys are authorized_keys lines, one per element.
	AuthorizedKeys []string  `json:"authorized_keys,omitempty"`
	HostKeys       []HostKey `json:"host_keys,omitempty"`
	Files          []File    `json:"files,omitempty"`
	// UserData is for cloud-init.
	UserData Secret `json:"user_data,omitempty"`
	// CustomTask is the program of property CUSTOM_TASK.
	CustomTask []byte `json:"custom_task,omitempty"`
	// Password and the others are for Windows: the clear text, the product key, the answer
	// files of os_answer_file and of UNATTEND.
	Password   *Secret `json:"password,omitempty"`
	ProductKey *Secret `json:"product_key,omitempty"`
	AnswerFile []byte  `json:"answer_file,omitempty"`
	NodeAnswer []byte  `json:"node_answer,omitempty"`
	// Environment holds the SNF_IMAGE_ variables with secrets in them. It is
	// sent only when a program from the image or the spec will run.
	Environment map[string]Secret `json:"environment,omitempty"`
}

// HostKey is a fresh SSH host key.
type HostKey struct {
	Type    string `json:"type"`    // "rsa", "ecdsa", "ed25519"
	Private Secret `json:"private"` // OpenSSH private key file, PEM
	Public  string `json:"public"`  // one line, without a comment's line end
}

// File is one file to inject (personality).
type File struct {
	Path     string `json:"path"`
	Contents []byte `json:"contents"`
	Owner    string `json:"owner,omitempty"`
	Group    string `json:"group,omitempty"`
	Mode     uint32 `json:"mode"` // permission bits, set-id and sticky bits as in chmod(2)
}
