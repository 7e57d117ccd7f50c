package support

// System is a row of the matrix.
type System struct {
	ID   string // also the name of its tree in tests/systems, where there is one
	Name string
}

// Systems returns the rows in their order.
func Systems() []System {
	return []System{
		{"debian-11", "Debian 11"},
		{"debian-12", "Debian 12"},
		{"debian-13", "Debian 13"},
		{"debian-forky", "Debian forky"},
		{"ubuntu", "Ubuntu 24.04"},
		{"kubuntu", "Kubuntu 24.04"},
		{"fedora", "Fedora 42"},
		{"centos-9", "CentOS Stream 9"},
		{"rhel-9", "RHEL 9"},
		{"rhel-10", "RHEL 10"},
		{"rocky-9", "Rocky 9"},
		{"el-8", "RHEL 8 and its like"},
		{"el-7", "RHEL 7 and its like"},
		{"el-6", "RHEL 6 and its like"},
		{"almalinux-10", "AlmaLinux 10"},
		{"oracle-9", "Oracle Linux 9"},
		{"amazon-2023", "Amazon Linux 2023"},
		{"leap-15", "openSUSE Leap 15.6"},
		{"leap-16", "openSUSE Leap 16"},
		{"sles-15", "SLES 15"},
		{"arch", "Arch"},
		{"arch-netctl", "Arch with netctl"},
		{"alpine", "Alpine"},
		{"gentoo", "Gentoo (OpenRC)"},
		{"void", "Void"},
		{"slackware", "Slackware 15"},
		{"proxmox", "Proxmox VE"},
	}
}

// Task is a column of the matrix. Those of one group are one table.
type Task struct {
	ID    string
	Title string
	Group string
}

// The groups, which are the headings of the tables.
const (
	accounts = "Names, accounts and identity"
	networks = "Network"
)

// Tasks returns the columns in their order.
func Tasks() []Task {
	return []Task{
		{"hostname", "host name", accounts},
		{"identity", "machine id, traces", accounts},
		{"password", "password", accounts},
		{"keys", "authorized keys", accounts},
		{"policy", "sshd policy", accounts},
		{"hostkeys", "host keys", accounts},
		{"create-users", "CREATE_USERS", accounts},
		{"cloud-init", "cloud-init kept out", accounts},
		{"cloud-mode", "CLOUD_INIT=yes", accounts},
		{"ifupdown", "ifupdown", networks},
		{"netplan", "netplan", networks},
		{"networkd", "systemd-networkd", networks},
		{"networkmanager", "NetworkManager", networks},
		{"ifcfg", "ifcfg", networks},
		{"wicked", "wicked", networks},
		{"ifupdown2", "ifupdown2", networks},
		{"ifupdown-ng", "ifupdown-ng", networks},
		{"netctl", "netctl", networks},
		{"netifrc", "netifrc", networks},
		{"runit", "runit and dhcpcd", networks},
		{"rcinet1", "rc.inet1", networks},
	}
}
