package spec

import (
	"fmt"
	"net"
	"net/netip"
	"strings"
)

// ParseNIC reads a --nic flag: NAME=VALUE pairs separated by commas. An empty
// flag is a NIC without any information.
func ParseNIC(s string) (NIC, error) {
	var nic NIC
	seen := map[string]bool{}
	for pair := range strings.SplitSeq(s, ",") {
		if s == "" {
			break
		}
		key, text, ok := strings.Cut(pair, "=")
		if !ok || seen[key] {
			return NIC{}, fmt.Errorf("%w: expected NAME=VALUE once for each name, found %s", ErrNIC, shown(pair))
		}
		seen[key] = true
		if err := nic.set(key, text); err != nil {
			return NIC{}, err
		}
	}
	return nic, CheckNIC(nic)
}

// set assigns one field by its name in the flag.
func (n *NIC) set(key, text string) error {
	fields := map[string]*string{
		"mac": &n.MAC, "ip": &n.IP, "name": &n.Name, "subnet": &n.Subnet, "gateway": &n.Gateway,
		"subnet6": &n.Subnet6, "gateway6": &n.Gateway6, "network": &n.Network,
		"mode": &n.Mode, "link": &n.Link, "bridge": &n.Bridge, "model": &n.FrontendType,
	}
	if key == "tags" {
		n.Tags = strings.Fields(text)
		return nil
	}
	field, ok := fields[key]
	if !ok {
		return fmt.Errorf("%w: unknown name %s; known are mac, ip, subnet, gateway, subnet6, gateway6, network, "+
			"name, mode, link, bridge, model and tags", ErrNIC, shown(key))
	}
	*field = text
	return nil
}

// CheckNIC says what is wrong with the addresses of n. Empty fields are fine.
func CheckNIC(n NIC) error {
	for _, field := range []struct {
		name, text, want string
		ok               func(string) bool
	}{
		{"mac", n.MAC, "an Ethernet address", isMAC},
		{"ip", n.IP, "an IP address", isAddress},
		{"subnet", n.Subnet, "an IPv4 prefix, as in 192.0.2.0/24", isPrefix4},
		{"gateway", n.Gateway, "an IPv4 address", isAddress4},
		{"subnet6", n.Subnet6, "an IPv6 prefix, as in 2001:db8::/64", isPrefix6},
		{"gateway6", n.Gateway6, "an IPv6 address", isAddress6},
	} {
		if field.text != "" && !field.ok(field.text) {
			return fmt.Errorf("%w: %s is %s, expected %s", ErrNIC, field.name, shown(field.text), field.want)
		}
	}
	for _, text := range append([]string{n.Name, n.Network, n.Mode, n.Link, n.Bridge, n.FrontendType}, n.Tags...) {
		if strings.ContainsFunc(text, isControl) {
			return fmt.Errorf("%w: control character in %s", ErrNIC, shown(text))
		}
	}
	return checkReach(n)
}

// checkReach wants a static address to come with the subnet it lies in.
func checkReach(n NIC) error {
	ip, err := netip.ParseAddr(n.IP)
	if err != nil {
		return nil
	}
	subnet := n.Subnet
	if ip.Is6() {
		subnet = n.Subnet6
	}
	if p, err := netip.ParsePrefix(subnet); err == nil && !p.Contains(ip) {
		return fmt.Errorf("%w: ip %s is outside of its subnet %s", ErrNIC, n.IP, subnet)
	}
	return nil
}

func isMAC(s string) bool {
	mac, err := net.ParseMAC(s)
	return err == nil && len(mac) == 6
}

func isAddress(s string) bool { return isAddress4(s) || isAddress6(s) }

func isAddress4(s string) bool {
	a, err := netip.ParseAddr(s)
	return err == nil && a.Is4()
}

func isAddress6(s string) bool {
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

func isControl(r rune) bool { return r < ' ' || r == 0x7f }
