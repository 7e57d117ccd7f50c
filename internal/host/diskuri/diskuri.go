// Package diskuri judges the URIs of disks that QEMU reaches over the network, by their
// text alone, and makes them fit for logs.
package diskuri

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"snf-image/internal/spec"
)

// maxDiskURI bounds the URI of a disk, in bytes.
const maxDiskURI = 4096

// Schemes are the beginnings of the URIs of disks: QEMU's drivers of remote
// storage (qemu-block-drivers(7)). Its other protocols are out: they reach files
// of the node past the checks that paths get, or hold options as json: does.
func Schemes() []string {
	return []string{
		"rbd", "nbd", "nbd+tcp", "nbd+unix", "iscsi", "iser", "ssh", "nfs",
		"gluster", "gluster+tcp", "gluster+unix", "gluster+rdma",
		"sheepdog", "sheepdog+tcp", "sheepdog+unix",
	}
}

// Is reports whether text is the URI of a disk, by its scheme alone.
func Is(text string) bool {
	scheme, _, ok := strings.Cut(text, ":")
	return ok && slices.Contains(Schemes(), scheme)
}

// Check returns what is wrong with the URI of a disk, as far as its text
// shows it. Secrets are refused: every user of the node can read the command line
// of the program that opens the disk.
func Check(text string) error {
	if len(text) > maxDiskURI {
		return fmt.Errorf("a URI of more than %d bytes", maxDiskURI)
	}
	if !utf8.ValidString(text) || strings.ContainsFunc(text, unicode.IsControl) {
		return errors.New("a URI with control characters")
	}
	scheme, rest, ok := strings.Cut(text, ":")
	if !ok || !slices.Contains(Schemes(), scheme) {
		return fmt.Errorf("a URI has to begin with one of %s, followed by a colon", strings.Join(Schemes(), ", "))
	}
	if rest == "" || rest == "//" {
		return errors.New("a URI without a disk")
	}
	if secretOption.MatchString(text) || secretOption.MatchString(unescaped(text)) {
		return ErrSecret
	}
	if after, ok := strings.CutPrefix(rest, "//"); ok {
		return checkAuthority(scheme, after)
	}
	return nil
}

var ErrSecret = errors.New("a URI with a password or key in it")

// secretOption is an option of a URI that holds a secret: of Ceph's, behind a
// colon, or in the query.
var secretOption = regexp.MustCompile(`(?i)([:?&;,](?:key|secret|token|[a-z_-]*pass(?:word|wd|phrase)?)=)[^:?&;,]*`)

// unescaped is the text as QEMU reads its options; one that is not valid stays.
func unescaped(text string) string {
	if plain, err := url.PathUnescape(text); err == nil {
		return plain
	}
	return text
}

// checkAuthority checks the part of a URI behind the slashes that names user and
// host (RFC 3986 section 3.2).
func checkAuthority(scheme, rest string) error {
	authority := rest
	if i := strings.IndexAny(rest, "/?#"); i >= 0 {
		authority = rest[:i]
	}
	host := authority
	if at := strings.LastIndexByte(authority, '@'); at >= 0 {
		host = authority[at+1:]
		user, err := url.PathUnescape(authority[:at])
		// libiscsi separates user and password by %.
		if err != nil || strings.Contains(user, ":") || scheme == "iscsi" && strings.Contains(authority[:at], "%") {
			return ErrSecret
		}
	}
	_, port, ok := strings.Cut(host[strings.LastIndexByte(host, ']')+1:], ":")
	if _, err := strconv.ParseUint(port, 10, 16); ok && err != nil {
		// A password with a slash in it ends the authority, too.
		return errors.New("a URI whose port is not a number")
	}
	return nil
}

// Mask returns the URI of a disk fit for logs, whether or not it is valid:
// what could be a password is left out.
func Mask(text string) string {
	if query := strings.IndexByte(text, '?'); query >= 0 && unescaped(text) != text && secretOption.MatchString(unescaped(text)) {
		text = text[:query] + "?***"
	}
	text = secretOption.ReplaceAllString(text, "$1***")
	before, rest, ok := strings.Cut(text, "//")
	if at := strings.LastIndexByte(rest, '@'); ok && at >= 0 && strings.ContainsAny(rest[:at], ":%") {
		text = before + "//***" + rest[at:]
	}
	return text[:min(len(text), maxDiskURI)]
}

// Shown is what names a disk in messages.
func Shown(d spec.Disk) string {
	if d.Path == "" {
		return Mask(d.URI)
	}
	return d.Path
}
