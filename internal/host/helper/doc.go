// Package helper unpacks, verifies and describes the helper image: the kernel and
// the initramfs the helper VM boots, and the manifest that vouches for them. Its
// package build makes one.
//
// HELPER_DIR holds manifest.json and the files it names:
//
//	manifest.json        versions, packages, and name, size, digest of the rest
//	vmlinux-DIGEST       uncompressed ELF kernel with a PVH entry point
//	initramfs-DIGEST     newc cpio archive, not compressed
//	copyright-DIGEST     licence texts of everything carried
//
// DIGEST is the beginning of the file's SHA-256. The manifest is replaced last
// and atomically, so that whatever happens to a build the directory holds one
// complete helper image. Nothing boots that was not hashed: [Open] copies both
// files into sealed memory and hashes what lies there.
//
// The same packages and the same agent give the same bytes.
//
// # For the agent
//
// The initramfs holds the agent as /init, and two files for it.
//
// /etc/snf-image/modules.json names kernel modules, not compressed, by absolute
// path, in the order they must be loaded; what is built into the kernel is left
// out, what several lists need stands in each of them (EEXIST from
// finit_module(2) means loaded already):
//
//	{"boot": ["/usr/lib/modules/…/virtio.ko", …],
//	 "demand": {"vfat": ["/usr/lib/modules/…/fat.ko", …]}}
//
// "boot" is for every run, the keys of "demand" are file system types.
//
// /etc/snf-image/contents.json lists every other file with its digest, and
// every package. The SHA-256 of that file, as it lies there, is the digest the
// agent sends in its hello; the manifest has the same.
package helper
