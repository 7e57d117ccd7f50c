package fetch

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"path"
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

// ErrReach says that a URL leads where none may without ALLOW_URL.
var ErrReach = errors.New("it leads to a loopback or link-local address of this node, which ALLOW_URL does not allow")

// checkName looks at what the host is called, which is all there is to see before
// it is resolved, or when a proxy will do that.
func (c *Client) checkName(u *url.URL) error {
	if c.allowed(u) {
		return nil
	}
	name := strings.TrimSuffix(strings.ToLower(u.Hostname()), ".")
	ip, err := netip.ParseAddr(name)
	if name == "localhost" || strings.HasSuffix(name, ".localhost") || err == nil && local(ip) {
		return ErrReach
	}
	return nil
}

// checkAddress is a net.Dialer's Control: it sees the address that is really
// connected to, whatever the name resolved to a moment ago.
func checkAddress(_, address string, _ syscall.RawConn) error {
	to, err := netip.ParseAddrPort(address)
	if err != nil {
		return err
	}
	if local(to.Addr()) {
		return ErrReach
	}
	return nil
}

// local says whether an address is this node's own or on a link alone: loopback,
// link-local, unspecified (which Linux takes for loopback) and multicast.
func local(ip netip.Addr) bool {
	ip = ip.Unmap()
	return ip.IsLoopback() || ip.IsLinkLocalUnicast() || ip.IsUnspecified() || ip.IsMulticast() ||
		ip.Is4() && ip.As4()[0] == 0
}
