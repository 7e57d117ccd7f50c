package images

import (
	"strings"

	"golang.org/x/sys/unix"
)

// Fixed identities of the images made here. Deployments must replace the
// machine id and the host keys and keep the others.
const (
	RootUUID  = "5eed0000-0000-4000-8000-0000000000a1"
	DataUUID  = "5eed0000-0000-4000-8000-0000000000a2"
	SwapUUID  = "5eed0000-0000-4000-8000-0000000000a3"
	MachineID = "5eed000000004000800000000000dead"
	Hostname  = "image"
)

// Debian returns what a deployment looks at in a Debian root file system, and
// around it files of every kind that it has no reason to touch.
func Debian() Tree {
	return append(debianFiles(), bystanders()...)
}

// PlainDebian is Debian without the files of odd kinds and names.
func PlainDebian() Tree { return debianFiles() }

func debianFiles() Tree {
	return Tree{
		{Path: "usr/lib/os-release", Data: "PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nNAME=\"Debian GNU/Linux\"\nVERSION_ID=\"12\"\nVERSION_CODENAME=bookworm\nID=debian\n"},
		{Path: "etc/os-release", Link: "../usr/lib/os-release"},
		{Path: "etc/debian_version", Data: "12.11\n"},
		{Path: "etc/hostname", Data: Hostname + "\n"},
		{Path: "etc/hosts", Data: "127.0.0.1\tlocalhost\n127.0.1.1\timage.example.org image # ours\n\n::1\tlocalhost ip6-localhost\n"},
		{Path: "etc/fstab", Data: "# <file system> <mount point> <type> <options> <dump> <pass>\nUUID=" + RootUUID + " / ext4 errors=remount-ro 0 1\n"},
		{Path: "etc/machine-id", Mode: 0o444, Data: MachineID + "\n"},
		{Path: "var/lib/dbus/machine-id", Link: "/etc/machine-id"},
		{Path: "etc/passwd", Data: "root:x:0:0:root:/root:/bin/bash\ndaemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin\nsshd:x:101:65534::/run/sshd:/usr/sbin/nologin\nuser:x:1000:1000:User,,,:/home/user:/bin/bash\n"},
		{Path: "etc/group", Data: "root:x:0:\ndaemon:x:1:\nshadow:x:42:\nstaff:x:50:\nuser:x:1000:\n"},
		{Path: "etc/shadow", Mode: 0o640, GID: 42, Data: "root:*:19700:0:99999:7:::\ndaemon:*:19700:0:99999:7:::\nsshd:!:19700::::::\nuser:!:19700:0:99999:7::1:\n"},
		{Path: "etc/gshadow", Mode: 0o640, GID: 42, Data: "root:*::\ndaemon:*::\nshadow:*::\nstaff:*::\nuser:!::\n"},
		{Path: "etc/network/interfaces", Data: "# The image's own.\nsource /etc/network/interfaces.d/*\n\nauto lo\niface lo inet loopback\n\nallow-hotplug eth0\niface eth0 inet dhcp\n"},
		{Path: "etc/network/interfaces.d/"},
		{Path: "usr/sbin/ifup", Mode: 0o755, Data: "#!/bin/false\n"},
		{Path: "etc/ssh/sshd_config", Data: "# HostKey lines are commented out, as shipped.\n#HostKey /etc/ssh/ssh_host_rsa_key\nInclude /etc/ssh/sshd_config.d/*.conf\nUsePAM yes\n"},
		{Path: "etc/ssh/sshd_config.d/"},
		{Path: "etc/ssh/ssh_host_rsa_key", Mode: 0o600, Data: "the image's private key\n"},
		{Path: "etc/ssh/ssh_host_rsa_key.pub", Data: "ssh-rsa AAAA image\n"},
		{Path: "etc/ssh/ssh_host_ecdsa_key", Mode: 0o600, Data: "the image's private key\n"},
		{Path: "etc/ssh/ssh_host_ecdsa_key.pub", Data: "ecdsa-sha2-nistp256 AAAA image\n"},
		{Path: "etc/ssh/ssh_host_ed25519_key", Mode: 0o600, Data: "the image's private key\n"},
		{Path: "etc/ssh/ssh_host_ed25519_key.pub", Data: "ssh-ed25519 AAAA image\n"},
		{Path: "usr/sbin/sshd", Mode: 0o755, Data: "#!/bin/false\n"},
		{Path: "root/", Mode: 0o700},
		{Path: "root/.bashrc", Data: "umask 022\n"},
		{Path: "home/user/", UID: 1000, GID: 1000},
		{Path: "usr/bin/bash", Mode: 0o755, Data: "#!/bin/false\n"},
		{Path: "bin", Link: "usr/bin"},
		{Path: "sbin", Link: "usr/sbin"},
		{Path: "lib", Link: "usr/lib"},
		{Path: "run/"},
		{Path: "proc/"},
		{Path: "sys/"},
		{Path: "dev/"},
		{Path: "mnt/"},
		{Path: "tmp/", Mode: 0o1777},
	}
}

// bystanders are files with everything a file can have.
func bystanders() Tree {
	return Tree{
		{Path: "srv/set-id", Mode: 0o6755, GID: 50, Data: "#!/bin/false\n"},
		{Path: "srv/team/", Mode: 0o2775, GID: 50},
		{Path: "srv/user file\nwith\tan odd \xff name", UID: 1000, GID: 1000, Data: "x"},
		{Path: "srv/one name", Data: "two names\n"},
		{Path: "srv/other name", Hard: "srv/one name"},
		{Path: "srv/dangling", Link: "/nowhere/at/all"},
		{Path: "srv/loop", Link: "loop"},
		{Path: "srv/pipe", Mode: unix.S_IFIFO | 0o600},
		{Path: "srv/socket", Mode: unix.S_IFSOCK | 0o600},
		{Path: "srv/null", Mode: unix.S_IFCHR | 0o666, Dev: int(unix.Mkdev(1, 3))},
		{Path: "srv/attributes", Data: "x", XAttrs: map[string]string{
			"user.origin":      "image",
			"trusted.overlay":  "y",
			"security.selinux": "system_u:object_r:etc_t:s0\x00",
		}},
		// cap_net_raw=ep, struct vfs_cap_data of capabilities(7), revision 2.
		{Path: "usr/bin/ping", Mode: 0o755, Data: "#!/bin/false\n", XAttrs: map[string]string{
			"security.capability": "\x01\x00\x00\x02\x00\x20\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00",
		}},
		{Path: "srv/large", Data: strings.Repeat("0123456789abcdef", 1<<16)},
		{Path: "srv/deep/a/b/c/d/e/f/g", Data: "g"},
	}
}
