package rootfs

import (
	"bytes"
	"fmt"
	"os"
	"slices"

	"golang.org/x/sys/unix"
)

// unlisted are attributes of NTFS (ntfs-3g(8)): access control list, and what Windows calls
// attributes. They are not in the list of a file, and can be copied.
var unlisted = []string{"system.ntfs_acl", "system.ntfs_attrib"}

// copyXattrs gives to the extended attributes of from: SELinux labels, ACLs,
// capabilities; none that it got otherwise is left, such as an ACL by its directory. A file
// system without them has nothing to copy.
func copyXattrs(to, from *os.File) error {
	names, err := listXattrs(from)
	if err != nil {
		return err
	}
	own, err := listXattrs(to)
	if err != nil {
		return err
	}
	for _, name := range own {
		if slices.Contains(names, name) {
			continue
		}
		if err := unix.Fremovexattr(int(to.Fd()), name); err != nil {
			return fmt.Errorf("removing attribute %s: %w", name, err)
		}
	}
	for _, name := range names {
		value, err := getXattr(from, name)
		if err != nil {
			return fmt.Errorf("reading attribute %s: %w", name, err)
		}
		if err := unix.Fsetxattr(int(to.Fd()), name, value, 0); err != nil {
			return fmt.Errorf("setting attribute %s: %w", name, err)
		}
	}
	return copyUnlisted(to, from)
}

func copyUnlisted(to, from *os.File) error {
	for _, name := range unlisted {
		value, err := getXattr(from, name)
		if err != nil { // another file system
			return nil
		}
		if err := unix.Fsetxattr(int(to.Fd()), name, value, 0); err != nil {
			return fmt.Errorf("setting attribute %s: %w", name, err)
		}
	}
	return nil
}

func listXattrs(f *os.File) ([]string, error) {
	buf := make([]byte, 1<<16) // XATTR_LIST_MAX
	n, err := unix.Flistxattr(int(f.Fd()), buf)
	if err == unix.ENOTSUP {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("listing attributes: %w", err)
	}
	var names []string
	for name := range bytes.SplitSeq(buf[:n], []byte{0}) {
		if len(name) > 0 {
			names = append(names, string(name))
		}
	}
	return names, nil
}

func getXattr(f *os.File, name string) ([]byte, error) {
	buf := make([]byte, 1<<16) // XATTR_SIZE_MAX
	n, err := unix.Fgetxattr(int(f.Fd()), name, buf)
	if err != nil {
		return nil, err
	}
	return buf[:n], nil
}
