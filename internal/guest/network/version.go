package network

import (
	"bytes"
	"strings"

	"snf-image/internal/guest/rootfs"
)

// maxStatus is more than the status file of a very large Debian system.
const maxStatus = 32 << 20

// packageVersion returns the version of an installed Debian package, empty
// when it is not installed or the image has no dpkg.
func packageVersion(root *rootfs.Root, name string) string {
	data, err := root.ReadFile("/var/lib/dpkg/status", maxStatus)
	if err != nil {
		return ""
	}
	return parseVersion(data, name)
}

// parseVersion reads the paragraph of a package in dpkg's status file
// (deb-control(5) syntax).
func parseVersion(status []byte, name string) string {
	start := append([]byte("Package: "), name...)
	for paragraph := range bytes.SplitSeq(status, []byte("\n\n")) {
		paragraph = bytes.TrimLeft(paragraph, "\n")
		if line, _, _ := bytes.Cut(paragraph, []byte("\n")); !bytes.Equal(bytes.TrimSpace(line), start) {
			continue
		}
		version, state := "", ""
		for line := range bytes.Lines(paragraph) {
			if value, ok := bytes.CutPrefix(line, []byte("Version:")); ok {
				version = string(bytes.TrimSpace(value))
			}
			if value, ok := bytes.CutPrefix(line, []byte("Status:")); ok {
				state = string(bytes.TrimSpace(value))
			}
		}
		if strings.HasSuffix(state, " installed") {
			return version
		}
	}
	return ""
}
