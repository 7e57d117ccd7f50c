package values

import (
	"cmp"
	"fmt"
	"net"
	"net/netip"
	"strings"

	"snf-image/internal/host/problem"
	"snf-image/internal/spec"
)

// CheckNIC returns what is wrong with the addresses of n. Empty fields are valid.
func CheckNIC(n spec.NIC) error {
	for _, field := range []struct {
		name, text, want string
		ok               func(string) bool
	}{
		{"mac", n.MAC, "an Ethernet address", isMAC},
		{"ip", n.IP, "an IP address, as in 192.0.2.5/24", isAddress},
		{"ip6", n.IP6, "an IPv6 address, as in 2001:db8::5/64", IsAddress6},
		{"subnet", n.Subnet, "an IPv4 prefix, as in 192.0.2.0/24", isPrefix4},
		{"gateway", n.Gateway, "an IPv4 address", IsAddress4},
		{"subnet6", n.Subnet6, "an IPv6 prefix, as in 2001:db8::/64", isPrefix6},
		{"gateway6", n.Gateway6, "an IPv6 address", IsAddress6},
	} {
		if field.text != "" && !field.ok(field.text) {
			return fmt.Errorf("%w: %s is %s, expected %s", ErrNIC, field.name, problem.Quote(field.text), field.want)
		}
	}
	for _, text := range append([]string{n.Name, n.Network, n.Mode, n.Link, n.Bridge, n.FrontendType}, n.Tags...) {
		if strings.ContainsFunc(text, IsControl) {
			return fmt.Errorf("%w: control character in %s", ErrNIC, problem.Quote(text))
		}
	}
	if err := checkMethods(n); err != nil {
		return err
	}
	return cmp.Or(checkReach(n, "ip", n.IP), checkReach(n, "ip6", n.IP6))
}

// minMTU6 is the least MTU of a link with IPv6 (RFC 8200 section 5).
const minMTU6 = 1280

// checkMethods refuses two ways to get an address of one family.
func checkMethods(n spec.NIC) error {
	switch {
	case n.IP6 != "" && IsAddress6(n.IP):
		return fmt.Errorf("%w: both ip %s and ip6 %s are IPv6 addresses", ErrNIC, n.IP, n.IP6)
	case n.IP6 != "" && n.Subnet6 == "":
		return fmt.Errorf("%w: ip6 %s has no prefix length; write ip6=%s/64", ErrNIC, n.IP6, n.IP6)
	case n.DHCP && IsAddress4(n.IP):
		return fmt.Errorf("%w: dhcp and the address %s exclude each other", ErrNIC, n.IP)
	case n.MTU > 0 && n.MTU < minMTU6 && (n.IP6 != "" || IsAddress6(n.IP)):
		return fmt.Errorf("%w: IPv6 needs an MTU of at least %d, this is %d", ErrNIC, minMTU6, n.MTU)
	}
	return nil
}

// checkReach wants a static address to come with the subnet it lies in.
func checkReach(n spec.NIC, name, address string) error {
	ip, err := netip.ParseAddr(address)
	if err != nil {
		return nil
	}
	subnet := n.Subnet
	if ip.Is6() {
		subnet = n.Subnet6
	}
	if p, err := netip.ParsePrefix(subnet); err == nil && !p.Contains(ip) {
		return fmt.Errorf("%w: %s %s is outside of its subnet %s", ErrNIC, name, address, subnet)
	}
	return nil
}

func isMAC(s string) bool {
	mac, err := net.ParseMAC(s)
	return err == nil && len(mac) == 6
}

func isAddress(s string) bool { return IsAddress4(s) || IsAddress6(s) }

func IsAddress4(s string) bool {
	a, err := netip.ParseAddr(s)
	return err == nil && a.Is4()
}

func IsAddress6(s string) bool {
	a, err := netip.ParseAddr(s)
	return err == nil && a.Is6() && a.Zone() == "" && !a.Is4In6()
}

func isPrefix4(s string) bool {
	p, err := netip.ParsePrefix(s)
	return err == nil && p.Addr().Is4()
}

func isPrefix6(s string) bool {
	p, err := netip.ParsePrefix(s)
	return err == nil && p.Addr().Is6() && !p.Addr().Is4In6()
}

func IsControl(r rune) bool { return r < ' ' || r == 0x7f }
