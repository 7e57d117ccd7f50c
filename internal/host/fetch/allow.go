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
	"syscall"
)

// pattern is a URL in which an asterisk stands for any characters of its part:
// of the host with its port, or of the path.
type pattern struct{ scheme, host, path string }

// parsePattern reads SCHEME://HOST[:PORT][/PATH]. Without a port or a path, any
// will do.
func parsePattern(text string) (pattern, error) {
	scheme, rest, ok := strings.Cut(text, "://")
	if !ok || scheme != "file" && !IsURL(text) {
		return pattern{}, fmt.Errorf("%q is no pattern like http://127.0.0.1:8080/* or file:///srv/answers/*", text)
	}
	host, file, slash := strings.Cut(rest, "/")
	if !slash {
		file = "*"
	}
	return pattern{strings.ToLower(scheme), strings.ToLower(host), "/" + file}, nil
}

// matches says whether the pattern stands for u. Users, passwords and queries do
// not count, and a path that climbs is where it leads.
func (p pattern) matches(u *url.URL) bool {
	host := strings.ToLower(u.Host)
	if _, port, err := net.SplitHostPort(p.host); err != nil || port == "" {
		host = strings.ToLower(u.Hostname())
		if strings.HasPrefix(p.host, "[") {
			host = "[" + host + "]"
		}
	}
	return p.scheme == u.Scheme && glob(p.host, host) && glob(p.path, path.Clean("/"+u.Path))
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

// allowed says whether ALLOW_URL names u.
func (c *Client) allowed(u *url.URL) bool {
	for _, p := range c.allow {
		if p.matches(u) {
			return true
		}
	}
	return false
}

// ErrForbidden says that a URL leads where none may without ALLOW_URL.
var ErrForbidden = errors.New("the URL is refused")

// errReach is how addresses are.
var errReach = fmt.Errorf("%w: it leads to a loopback or link-local address of this node, which ALLOW_URL does not allow", ErrForbidden)

// checkName looks at what the host is called, which is all there is to see before
// it is resolved, or when a proxy will do that.
func (c *Client) checkName(u *url.URL) error {
	if c.allowed(u) {
		return nil
	}
	name := strings.TrimSuffix(strings.ToLower(u.Hostname()), ".")
	ip, err := netip.ParseAddr(name)
	switch {
	case err == nil && local(ip), slices.Contains(nodeNames, name), strings.HasSuffix(name, ".localhost"):
		return errReach
	case err != nil && numeric(name):
		return errors.New("its address is no IPv4 address in the usual form")
	}
	return nil
}

// nodeNames are what /etc/hosts calls loopback on most systems.
var nodeNames = []string{"localhost", "localhost.localdomain", "localhost6", "localhost6.localdomain6", "ip6-localhost", "ip6-loopback"}

// numeric says whether the last label of a name is a number, which inet_aton(3)
// takes for an address: 127.1, 0x7f000001, 2130706433. No real domain is one.
func numeric(name string) bool {
	last := name[strings.LastIndexByte(name, '.')+1:]
	_, err := strconv.ParseUint(last, 0, 64)
	return err == nil || strings.HasPrefix(last, "0x") || last != "" && strings.Trim(last, "0123456789") == ""
}

// checkAddress is a net.Dialer's Control: it sees the address that is really
// connected to, whatever the name resolved to a moment ago.
func checkAddress(_, address string, _ syscall.RawConn) error {
	to, err := netip.ParseAddrPort(address)
	if err != nil {
		return err
	}
	if local(to.Addr()) {
		return errReach
	}
	return nil
}

// local says whether an address is this node's own or on a link alone: loopback,
// link-local, unspecified (which Linux takes for loopback) and multicast.
func local(ip netip.Addr) bool {
	ip = embedded(ip.Unmap())
	return ip.IsLoopback() || ip.IsLinkLocalUnicast() || ip.IsUnspecified() || ip.IsMulticast() ||
		ip.Is4() && ip.As4()[0] == 0
}

// embedded returns the IPv4 address in an IPv4-compatible (RFC 4291 section
// 2.5.5.1) or translated (RFC 6052 section 2.1) one, else ip.
func embedded(ip netip.Addr) netip.Addr {
	for _, prefix := range []string{"::/96", "64:ff9b::/96"} {
		if netip.MustParsePrefix(prefix).Contains(ip) && ip.Is6() && ip != netip.IPv6Loopback() && ip != netip.IPv6Unspecified() {
			b := ip.As16()
			return netip.AddrFrom4([4]byte(b[12:]))
		}
	}
	return ip
}
