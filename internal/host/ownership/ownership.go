// Package ownership checks that a file belongs to root alone: nobody else may
// change it, put another one in its place, or lead its name elsewhere.
//
// Every directory on the way is looked at, from the root of the file system on, and
// every symbolic link is followed step by step. Where Check finds nothing, the name
// stands for the same file until root itself changes that: what is opened by it
// later is what was checked.
package ownership

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"snf-image/internal/report"

	"golang.org/x/sys/unix"
)

// ErrOthers is the reason why a file is refused.
var ErrOthers = errors.New("others than root may change it")

// Remedy says what to do about ErrOthers.
const Remedy = "give the file and the directories above it to root, and take the right to write from everybody else (chown root, chmod go-w)"

// Check refuses a file or directory that others than root may change. It looks at
// nothing when the program does not run as root. A file that is not there is an error
// of fs.ErrNotExist.
func Check(path string) error {
	if os.Geteuid() != 0 || handed(path) {
		return nil
	}
	if !filepath.IsAbs(path) {
		dir, err := os.Getwd()
		if err != nil {
			return err
		}
		path = dir + "/" + path // joined it would lose ".." behind links
	}
	return walk(path)
}

// MakeDir makes a directory and those above it that are missing, and refuses it as
// Check does. Nothing is made below a directory that others may change.
func MakeDir(path string, mode os.FileMode) error {
	if err := Check(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if err := os.MkdirAll(path, mode); err != nil {
		return err
	}
	return Check(path)
}

// handed reports whether path names a descriptor that the caller of the program
// opened, as a shell does for <(…).
func handed(path string) bool {
	for _, dir := range []string{"/dev/fd/", "/proc/self/fd/"} {
		if strings.HasPrefix(path, dir) && filepath.Dir(path)+"/" == dir {
			return true
		}
	}
	return path == "/dev/stdin"
}

// maxLinks is how many symbolic links are followed, as in the kernel.
const maxLinks = 40

// walk checks each step of an absolute path.
func walk(path string) error {
	done, links := "/", 0
	rest := steps(path)
	if err := checkStep(done, len(rest) == 0); err != nil {
		return err
	}
	for len(rest) > 0 {
		step := rest[0]
		rest = rest[1:]
		if step == ".." {
			done = filepath.Dir(done)
			continue
		}
		next := filepath.Join(done, step)
		if err := checkStep(next, len(rest) == 0); err != nil {
			return err
		}
		target, err := os.Readlink(next)
		if errors.Is(err, unix.EINVAL) { // no link
			done = next
			continue
		}
		if err != nil {
			return report.Bare(err)
		}
		if links++; links > maxLinks {
			return unix.ELOOP
		}
		if filepath.IsAbs(target) {
			done = "/"
		}
		rest = append(steps(target), rest...)
	}
	return nil
}

// steps splits a path. Unlike filepath.Clean it keeps "..", which counts from where a
// link before it leads.
func steps(path string) []string {
	return strings.FieldsFunc(strings.ReplaceAll("/"+path+"/", "/./", "/"), func(r rune) bool { return r == '/' })
}

// checkStep looks at one file on the way, which is the last one or not. It does not
// follow a link.
func checkStep(path string, last bool) error {
	var st unix.Stat_t
	if err := unix.Lstat(path, &st); err != nil {
		return err
	}
	if st.Uid != 0 {
		return fmt.Errorf("%w: %s belongs to uid %d", ErrOthers, path, st.Uid)
	}
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFLNK:
		return nil // its permissions mean nothing
	case unix.S_IFCHR:
		return nil // writing to /dev/null does not change it
	}
	// Of a sticky directory others may not rename or remove what belongs to root.
	if st.Mode&unix.S_ISVTX != 0 && st.Mode&unix.S_IFMT == unix.S_IFDIR && !last {
		return nil
	}
	if st.Mode&unix.S_IWOTH != 0 || st.Mode&unix.S_IWGRP != 0 && (st.Gid != 0 || hasACL(path)) {
		return fmt.Errorf("%w: %s has mode %04o, group %d", ErrOthers, path, st.Mode&0o7777, st.Gid)
	}
	return nil
}

// hasACL reports whether a file has an access control list. Then the bits of the group
// are the most that any of its entries grants (acl(5)).
func hasACL(path string) bool {
	n, err := unix.Lgetxattr(path, "system.posix_acl_access", nil)
	return err == nil && n > 0
}
