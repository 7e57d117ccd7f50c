package fetch

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"syscall"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// Refusals of addresses.
var (
	errReach    = fmt.Errorf("%w: it leads to a loopback or link-local address of this node, which ALLOW_URL does not allow", ErrForbidden)
	errOwn      = fmt.Errorf("%w: it leads to an address of this node itself, which ALLOW_URL does not allow", ErrForbidden)
	errMetadata = fmt.Errorf("%w: it leads to the metadata service of a cloud, which ALLOW_URL does not allow", ErrForbidden)
)

// checkAddress is a net.Dialer's Control: it sees the address that is really
// connected to, whatever the name resolved to a moment ago.
func checkAddress(_, address string, _ syscall.RawConn) error {
	to, err := netip.ParseAddrPort(address)
	if err != nil {
		return err
	}
	return reach(to.Addr())
}

// reach refuses an address that belongs to this node or to its link alone: the owner of
// an instance must not reach it through the node. A service that listens on all addresses
// is in reach by each of them, so the kernel is asked which addresses are its own.
func reach(ip netip.Addr) error {
	if err := known(ip); err != nil {
		return err
	}
	for _, ip := range []netip.Addr{ip.Unmap(), embedded(ip.Unmap())} {
		kind, err := routeTo(ip)
		if err != nil {
			return fmt.Errorf("asking the kernel whether %s is an address of this node: %w", ip, err)
		}
		if slices.Contains([]uint8{unix.RTN_LOCAL, unix.RTN_BROADCAST, unix.RTN_ANYCAST, unix.RTN_MULTICAST}, kind) {
			return errOwn
		}
	}
	return nil
}

// known refuses an address by its value alone.
func known(ip netip.Addr) error {
	switch plain := embedded(ip.Unmap()); {
	case local(plain):
		return errReach
	case slices.Contains(metadata, plain):
		return errMetadata
	}
	return nil
}

// metadata are the addresses of the metadata services of clouds, which hand out
// credentials. Most clouds use a link-local one (169.254.169.254), which is not repeated here.
var metadata = []netip.Addr{
	netip.MustParseAddr("168.63.129.16"),   // Azure
	netip.MustParseAddr("fd00:ec2::254"),   // Amazon
	netip.MustParseAddr("fd20:ce::254"),    // Google
	netip.MustParseAddr("100.100.100.200"), // Alibaba
	netip.MustParseAddr("192.0.0.192"),     // Oracle
}

// routeTo asks the kernel for the type of the route that leads to ip (rtnetlink(7),
// RTM_GETROUTE). Where none leads there, it is RTN_UNSPEC: connecting says why.
func routeTo(ip netip.Addr) (uint8, error) {
	conn, err := netlink.Dial(unix.NETLINK_ROUTE, nil)
	if err != nil {
		return 0, err
	}
	defer conn.Close() //nolint:errcheck // a socket for one question
	attributes := netlink.NewAttributeEncoder()
	attributes.Bytes(unix.RTA_DST, ip.AsSlice())
	body, err := attributes.Encode()
	if err != nil {
		return 0, err
	}
	header := make([]byte, unix.SizeofRtMsg) // struct rtmsg
	header[0], header[1] = unix.AF_INET, uint8(ip.BitLen())
	if ip.Is6() {
		header[0] = unix.AF_INET6
	}
	answers, err := conn.Execute(netlink.Message{
		Header: netlink.Header{Type: unix.RTM_GETROUTE, Flags: netlink.Request}, Data: append(header, body...),
	})
	if refusal, ok := errors.AsType[*netlink.OpError](err); ok && slices.Contains(noRoute, refusal.Err) {
		return unix.RTN_UNSPEC, nil
	}
	if err != nil {
		return 0, err
	}
	if len(answers) != 1 || len(answers[0].Data) < unix.SizeofRtMsg {
		return 0, errors.New("it gave no answer")
	}
	return answers[0].Data[7], nil // rtm_type
}

// noRoute are the answers of a kernel that sends nothing to an address.
var noRoute = []error{unix.ENETUNREACH, unix.EHOSTUNREACH, unix.EACCES, unix.EINVAL}

// local reports whether an address is this node's own or on a link alone: loopback,
// link-local, unspecified (which Linux takes for loopback) and multicast.
func local(ip netip.Addr) bool {
	return ip.IsLoopback() || ip.IsLinkLocalUnicast() || ip.IsUnspecified() || ip.IsMulticast() ||
		ip.Is4() && ip.As4()[0] == 0
}

// embedded returns the IPv4 address in an IPv4-compatible (RFC 4291 section
// 2.5.5.1) or translated (RFC 6052 section 2.1, RFC 2765 section 2.1) one, else ip.
func embedded(ip netip.Addr) netip.Addr {
	for _, prefix := range []string{"::/96", "64:ff9b::/96", "::ffff:0:0:0/96"} {
		if netip.MustParsePrefix(prefix).Contains(ip) && ip.Is6() && ip != netip.IPv6Loopback() && ip != netip.IPv6Unspecified() {
			b := ip.As16()
			return netip.AddrFrom4([4]byte(b[12:]))
		}
	}
	return ip
}
