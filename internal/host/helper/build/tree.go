package build

import (
	"maps"
	"path"
	"slices"

	"github.com/u-root/u-root/pkg/cpio"

	"snf-image/internal/host/deb"
)

// node is one entry of the initramfs.
type node struct {
	mode         uint64 // type and permission bits
	data         []byte // content of a file, target of a symbolic link
	major, minor uint64 // of a device
}

// isFile reports whether n is a regular file.
func (n node) isFile() bool { return n.mode&cpio.S_IFMT == cpio.S_IFREG }

// tree is the initramfs by path, without a leading slash. Directories need not
// be added; they follow from the paths.
type tree map[string]node

func (t tree) file(name string, perm uint64, data []byte) {
	t[deb.Merged(name)] = node{mode: cpio.S_IFREG | perm, data: data}
}

func (t tree) link(name, target string) {
	t[deb.Merged(name)] = node{mode: cpio.S_IFLNK | 0o777, data: []byte(target)}
}

func (t tree) directory(name string, perm uint64) {
	t[deb.Merged(name)] = node{mode: cpio.S_IFDIR | perm}
}

func (t tree) device(name string, perm, major, minor uint64) {
	t[deb.Merged(name)] = node{mode: cpio.S_IFCHR | perm, major: major, minor: minor}
}

// paths returns the paths of t in order, a directory before its content.
func (t tree) paths() []string { return slices.Sorted(maps.Keys(t)) }

// parents adds the directories that are missing.
func (t tree) parents() {
	for _, name := range t.paths() {
		for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
			if _, ok := t[dir]; !ok {
				t.directory(dir, 0o755)
			}
		}
	}
}

// skeleton returns the tree every helper image starts with: the directories
// the agent mounts on, the links of a merged /usr, the two devices the kernel
// opens before there is a /dev, and the accounts tools ask for.
func skeleton() tree {
	t := tree{}
	for _, dir := range []string{"dev", "proc", "sys", "run", "mnt", "root", "etc"} {
		t.directory(dir, 0o755)
	}
	t.directory("tmp", 0o1777)
	for _, dir := range deb.MergedDirs {
		t["usr/"+dir] = node{mode: cpio.S_IFDIR | 0o755}
		t[dir] = node{mode: cpio.S_IFLNK | 0o777, data: []byte("usr/" + dir)}
	}
	t.device("dev/console", 0o600, 5, 1)
	t.device("dev/null", 0o666, 1, 3)
	t.file("etc/passwd", 0o644, []byte("root:x:0:0:root:/root:/bin/bash\nnobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n"))
	t.file("etc/group", 0o644, []byte("root:x:0:\nnogroup:x:65534:\n"))
	t.file("etc/nsswitch.conf", 0o644, []byte("passwd: files\ngroup: files\n"))
	t.file("etc/lvm/lvm.conf", 0o644, []byte(lvmConfig))
	t.link("etc/mtab", "../proc/self/mounts")
	return t
}
