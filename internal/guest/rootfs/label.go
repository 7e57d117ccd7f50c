package rootfs

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"golang.org/x/sys/unix"
)

// selinuxAttribute holds the label of a file, with a zero byte at its end.
const selinuxAttribute = "security.selinux"

// maxLabel is more bytes than a label has.
const maxLabel = 4096

// Labelled reports the SELinux label of what is at p itself, of whatever kind; "" for none.
func (r *Root) Labelled(p string) string {
	at, err := r.parent(p, ours)
	if err != nil {
		return ""
	}
	defer at.close()
	label, _ := at.label()
	return label
}

// procName names what is at the place, for calls that do not follow the last component.
func (p parent) procName() string { return fmt.Sprintf("/proc/self/fd/%d/%s", p.fd(), p.base) }

// label returns the label of what is at the place, "" for none. Its error is that of a file
// system without labels.
func (p parent) label() (string, error) {
	buf := make([]byte, maxLabel)
	n, err := unix.Lgetxattr(p.procName(), selinuxAttribute, buf)
	switch {
	case errors.Is(err, unix.ENODATA):
		return "", nil
	case err != nil:
		return "", err
	}
	return strings.TrimRight(string(buf[:n]), "\x00"), nil
}

// setLabel labels what is at the place, never what a symbolic link leads to. A file system
// without labels has none afterwards.
func (p parent) setLabel(label string) error {
	err := unix.Lsetxattr(p.procName(), selinuxAttribute, []byte(label+"\x00"), 0)
	if err != nil && !errors.Is(err, unix.ENOTSUP) {
		return fmt.Errorf("setting the SELinux label %q: %w", label, err)
	}
	return nil
}

// label gives what was made at the place made, and is going to be at the place at, the label
// of the file of that kind that is there now or, if there is none, the one a new file has. It
// leaves one that made has already.
func (r *Root) label(made, at parent, kind fs.FileMode) error {
	if label, err := made.label(); err != nil || label != "" {
		return nil
	}
	label := ""
	if st, err := lstatAt(at); err == nil && made.base != at.base && kindBits(st) == kind {
		label, _ = at.label()
	}
	if label == "" {
		label = r.wanted(at, kind)
	}
	if label == "" {
		return nil
	}
	return made.setLabel(label)
}

// wanted returns the label of a new file of that kind at the place.
func (r *Root) wanted(at parent, kind fs.FileMode) string {
	if r.Label == nil {
		return ""
	}
	label := r.Label(at.join(), kind)
	if label == "" {
		label, _ = at.with(".").label()
	}
	return label
}

// labelMoved gives what is going to be moved from src to dst the label of its new place, if it
// has that of its old one: a label that somebody gave it stays.
func (r *Root) labelMoved(src, dst parent) error {
	st, err := lstatAt(src)
	if err != nil || r.Label == nil {
		return nil
	}
	label, err := src.label()
	if err != nil || label != "" && label != r.wanted(src, kindBits(st)) {
		return nil
	}
	if now := r.wanted(dst, kindBits(st)); now != "" && now != label {
		return src.setLabel(now)
	}
	return nil
}
