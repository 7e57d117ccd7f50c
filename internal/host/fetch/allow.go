package fetch

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"
)

// pattern is a URL in which an asterisk stands for any characters of its part:
// of the host with its port, or of the path.
type pattern struct{ scheme, host, path string }

// parsePattern reads SCHEME://HOST[:PORT][/PATH]. Without a port or a path, any
// will do.
func parsePattern(text string) (pattern, error) {
	scheme, rest, ok := strings.Cut(text, "://")
	if !ok || scheme != "file" && !IsURL(text) {
		return pattern{}, fmt.Errorf("%q is not a pattern like http://127.0.0.1:8080/* or file:///srv/answers/*", text)
	}
	host, file, slash := strings.Cut(rest, "/")
	if !slash {
		file = "*"
	}
	return pattern{strings.ToLower(scheme), strings.ToLower(host), "/" + file}, nil
}

// matches reports whether the pattern stands for u. Users, passwords and queries do
// not count, and a path that climbs is where it leads.
func (p pattern) matches(u *url.URL) bool {
	host := strings.ToLower(u.Host)
	if !p.hasPort() {
		host = strings.ToLower(u.Hostname())
		if strings.HasPrefix(p.host, "[") {
			host = "[" + host + "]"
		}
	}
	return p.scheme == u.Scheme && glob(p.host, host) && glob(p.path, path.Clean("/"+u.Path))
}

// hasPort reports whether the pattern names a port.
func (p pattern) hasPort() bool {
	_, port, err := net.SplitHostPort(p.host)
	return err == nil && port != ""
}

// glob matches text with a pattern whose only special character is the asterisk.
func glob(pattern, text string) bool {
	first, rest, star := strings.Cut(pattern, "*")
	if !star {
		return pattern == text
	}
	text, ok := strings.CutPrefix(text, first)
	if !ok {
		return false
	}
	for i := 0; i <= len(text); i++ {
		if glob(rest, text[i:]) {
			return true
		}
	}
	return false
}

// allowed reports whether ALLOW_URL names u.
func (c *Client) allowed(u *url.URL) bool {
	return slices.ContainsFunc(c.allow, func(p pattern) bool { return p.matches(u) })
}

// anyPort reports whether ALLOW_URL names u without its port.
func (c *Client) anyPort(u *url.URL) bool {
	return slices.ContainsFunc(c.allow, func(p pattern) bool { return !p.hasPort() && p.matches(u) })
}

// ErrForbidden says that a URL leads where none may without ALLOW_URL.
var ErrForbidden = errors.New("the URL is refused")

// checkName looks at the name of the host. Nothing else is known before the name is
// resolved, or when a proxy will resolve it.
func (c *Client) checkName(u *url.URL) error {
	if c.allowed(u) {
		return nil
	}
	name := strings.TrimSuffix(strings.ToLower(u.Hostname()), ".")
	ip, err := netip.ParseAddr(name)
	switch {
	case err == nil:
		return known(ip)
	case slices.Contains(nodeNames, name), strings.HasSuffix(name, ".localhost"):
		return errReach
	case numeric(name):
		return errors.New("its address is not an IPv4 address in the usual form")
	}
	return nil
}

// nodeNames are the names of loopback in /etc/hosts on most systems.
var nodeNames = []string{"localhost", "localhost.localdomain", "localhost6", "localhost6.localdomain6", "ip6-localhost", "ip6-loopback"}

// numeric reports whether the last label of a name is a number, which inet_aton(3)
// takes for an address: 127.1, 0x7f000001, 2130706433. No real domain is one.
func numeric(name string) bool {
	last := name[strings.LastIndexByte(name, '.')+1:]
	_, err := strconv.ParseUint(last, 0, 64)
	return err == nil || strings.HasPrefix(last, "0x") || last != "" && strings.Trim(last, "0123456789") == ""
}
