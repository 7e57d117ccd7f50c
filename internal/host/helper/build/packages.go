package build

import (
	"strings"

	"snf-image/internal/host/deb"
)

// kernelPackage depends on the kernel package of the day.
const kernelPackage = "linux-image-cloud-amd64"

// source is a Debian package and the files the initramfs takes from it.
type source struct {
	name  string
	files string // absolute paths, separated by white space
}

// tools are the programs of the helper in the order they are collected. Who
// needs them: the tasks (e2fsprogs, blkid, NTFS, the registry), CUSTOM_TASK and
// task overwriting (bash and the small tools), the rescue shell (the rest;
// busybox for an editor and a pager in a tenth of the room).
var tools = []source{
	{"e2fsprogs", `/sbin/e2fsck /sbin/resize2fs /sbin/dumpe2fs /sbin/tune2fs /sbin/e2label
		/sbin/debugfs /usr/bin/chattr /usr/bin/lsattr`},
	{"xfsprogs", `/sbin/xfs_repair`},
	{"btrfs-progs", `/bin/btrfs`},
	{"lvm2", `/sbin/lvm`},
	{"ntfs-3g", `/bin/lowntfs-3g /bin/ntfs-3g.probe /bin/ntfsfix /bin/ntfsinfo /bin/ntfsrecover /sbin/ntfsresize`},
	{"libhivex-bin", `/usr/bin/hivexsh`},
	{"util-linux", `/sbin/blkid /sbin/mkswap /sbin/swaplabel /sbin/blockdev /sbin/wipefs
		/bin/dmesg /bin/findmnt /bin/lsblk /bin/more /bin/mountpoint
		/usr/bin/flock /usr/bin/getopt /usr/bin/nsenter /usr/bin/setsid /usr/bin/unshare`},
	{"mount", `/bin/mount /bin/umount`},
	{"bash", `/bin/bash`},
	{"coreutils", `/bin/cat /bin/chgrp /bin/chmod /bin/chown /bin/cp /bin/date /bin/dd /bin/df
		/bin/echo /bin/false /bin/ln /bin/ls /bin/mkdir /bin/mknod /bin/mktemp /bin/mv /bin/pwd
		/bin/readlink /bin/rm /bin/rmdir /bin/sleep /bin/stty /bin/sync /bin/touch /bin/true
		/bin/uname /usr/bin/[ /usr/bin/base64 /usr/bin/basename /usr/bin/comm
		/usr/bin/cut /usr/bin/dirname /usr/bin/du /usr/bin/env /usr/bin/expand
		/usr/bin/fold /usr/bin/head /usr/bin/id /usr/bin/install /usr/bin/join /usr/bin/link
		/usr/bin/mkfifo /usr/bin/nice /usr/bin/nl /usr/bin/nohup /usr/bin/nproc
		/usr/bin/od /usr/bin/paste /usr/bin/printenv /usr/bin/printf /usr/bin/realpath
		/usr/bin/seq /usr/bin/shuf
		/usr/bin/sort /usr/bin/split /usr/bin/stat /usr/bin/tac /usr/bin/tail /usr/bin/tee
		/usr/bin/test /usr/bin/timeout /usr/bin/tr /usr/bin/truncate /usr/bin/tty
		/usr/bin/uniq /usr/bin/unlink /usr/bin/wc /usr/bin/whoami /usr/bin/yes
		/usr/sbin/chroot`},
	{"sed", `/bin/sed`},
	{"grep", `/bin/grep /bin/egrep /bin/fgrep`},
	{"mawk", `/usr/bin/mawk`},
	{"findutils", `/usr/bin/find /usr/bin/xargs`},
	{"gzip", `/bin/gzip /bin/gunzip /bin/zcat`},
	{"tar", `/bin/tar`},
	{"busybox", `/bin/busybox`},
}

// terminals are the terminals the rescue shell knows, as paths below terminfo.
const terminals = "l/linux v/vt100 v/vt220 x/xterm x/xterm-256color s/screen s/screen-256color t/tmux-256color d/dumb"

// links are names a program is known by besides its own.
var links = []struct{ name, target string }{
	{"/bin/sh", "bash"},
	{"/usr/bin/awk", "mawk"},
	{"/sbin/fsck.ext2", "e2fsck"},
	{"/sbin/fsck.ext3", "e2fsck"},
	{"/sbin/fsck.ext4", "e2fsck"},
}

// applets are the programs busybox stands in for, in /usr/bin. Those of coreutils that
// count digests, and expr, would bring two libraries of 7 MB. There is no program for
// partition tables: sfdisk would bring one of half a MB.
const applets = "cmp diff vi less ps top free hexdump xxd strings patch which clear hostname expr md5sum sha1sum sha256sum sha512sum"

// libraries are the packages with shared libraries that have one name in every
// suite.
var libraries = []string{
	"libc6", "libcom-err2", "libss2", "libblkid1", "libuuid1", "libsmartcols1",
	"libmount1", "libselinux1", "libpcre2-8-0", "libtinfo6", "libudev1", "libacl1", "libattr1",
	"libinih1", "liblzo2-2", "libhivex0", "libdevmapper1.02.1", "libdevmapper-event1.02.1",
}

// opened are files that a library opens by name. The registry's texts are UTF-16 and
// Latin 1 for hivexsh, which the C library converts by modules.
var opened = []source{
	{"libc6", `/usr/lib/x86_64-linux-gnu/gconv/gconv-modules
		/usr/lib/x86_64-linux-gnu/gconv/ISO8859-1.so /usr/lib/x86_64-linux-gnu/gconv/UTF-16.so`},
}

// Kernel modules: those every run needs, in the order they are wanted, and by
// file system type those loaded when a file system of that type is mounted.
// Dependencies are added from the modules themselves.
var (
	bootModules   = []string{"virtio_pci", "virtio_blk", "virtio_console", "dm_mod", "crc32c_generic", "ext4"}
	demandModules = map[string][]string{
		// Debian mounts vfat with code page 437 and names as UTF-8 or ASCII.
		"vfat": {"vfat", "nls_cp437", "nls_ascii", "nls_iso8859_1", "nls_utf8"},
		"xfs":  {"xfs"},
		// Checksums other than the default one are looked for by name.
		"btrfs": {"btrfs", "xxhash_generic", "blake2b_generic"},
		// NTFS is mounted by a program.
		"fuse": {"fuse"},
		// Of no type: what an ext file system with the feature quota needs beside.
		"quota": {"quota_v2"},
	}
)

// addLinks adds links and applets to t.
func addLinks(t tree) {
	for _, l := range links {
		t.link(l.name, l.target)
	}
	for name := range strings.FieldsSeq(applets) {
		t.link("/usr/bin/"+name, "busybox")
	}
}

// wanted returns the set of files of s, as merged paths.
func (s source) wanted() map[string]bool {
	set := map[string]bool{}
	for name := range strings.FieldsSeq(s.files) {
		set[deb.Merged(name)] = true
	}
	return set
}
