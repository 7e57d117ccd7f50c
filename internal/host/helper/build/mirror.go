package build

import (
	"errors"
	"fmt"
	"os"
	"strings"
)

// mirror says where the archive of Debian is: its suites, and their security
// updates.
type mirror struct {
	archive  string // URI of apt
	security string // URI of apt
}

// debianReleases are the names under which a node may know Debian's archive
// before apt has fetched a list that says whose it is.
var debianReleases = []string{
	"bullseye", "bookworm", "trixie", "forky", "sid", "oldstable", "stable", "testing", "unstable",
}

// targetFormat makes `apt-get indextargets` print what findMirror reads
// (apt-get(8), indextargets).
const targetFormat = "$(REPO_URI)|$(RELEASE)|$(COMPONENT)|$(ORIGIN)"

// findMirror returns the mirror this node uses, from the package lists that its
// apt knows.
func findMirror(targets string) (mirror, error) {
	var m mirror
	for line := range strings.Lines(targets) {
		fields := strings.Split(strings.TrimSpace(line), "|")
		if len(fields) != 4 || fields[2] != "main" {
			continue
		}
		uri, release, origin := fields[0], fields[1], fields[3]
		name, kind, _ := strings.Cut(release, "-")
		if origin != "Debian" && (origin != "" || !isDebian(name)) {
			continue
		}
		switch {
		case kind == "security" && m.security == "":
			m.security = uri
		case kind == "" && m.archive == "":
			m.archive = uri
		}
	}
	if m.archive == "" {
		return m, errors.New("the sources of apt name no mirror of Debian")
	}
	return m.complete()
}

func isDebian(release string) bool {
	for _, name := range debianReleases {
		if release == name {
			return true
		}
	}
	return false
}

// complete adds the place of the security updates: by convention a mirror of
// /debian has them in /debian-security.
func (m mirror) complete() (mirror, error) {
	if m.security != "" {
		return m, nil
	}
	base := strings.TrimSuffix(m.archive, "/")
	if !strings.HasSuffix(base, "/debian") {
		return m, fmt.Errorf("the security updates that belong to %s are not known", m.archive)
	}
	m.security = base + "-security"
	return m, nil
}

// keyrings are the places of Debian's keys, of the package debian-archive-keyring.
var keyrings = []string{
	"/usr/share/keyrings/debian-archive-keyring.pgp",
	"/usr/share/keyrings/debian-archive-keyring.gpg",
}

// findKeyring returns the file with Debian's keys.
func findKeyring() (string, error) {
	for _, name := range keyrings {
		if _, err := os.Stat(name); err == nil {
			return name, nil
		}
	}
	return "", fmt.Errorf("the keys of Debian's archive are missing: no %s", keyrings[len(keyrings)-1])
}

// sources returns the text of a sources.list(5) for a suite: the suite, its
// updates and its security updates, checked against Debian's keys alone. Only
// lists of packages are fetched.
func (m mirror) sources(suite, keyring string) string {
	options := fmt.Sprintf("[arch=amd64 signed-by=%s target=Packages]", keyring)
	return fmt.Sprintf("deb %s %s %s main\ndeb %s %s %s-updates main\ndeb %s %s %s-security main\n",
		options, m.archive, suite, options, m.archive, suite, options, m.security, suite)
}
