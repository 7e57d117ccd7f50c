// Package netconf turns the NICs of an instance into the configuration files
// of a guest's network system: one pure renderer for each system.
//
// It does no input or output. Every address, prefix and MAC in a rendered file
// was parsed before and is written in canonical form, so that nothing in the
// description of a NIC can break out of its place. It is large because each network system
// has a format of its own.
package netconf

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"

	"snf-image/internal/spec"
)

// Interface is how one NIC is to be configured. With neither IPv4 nor IPv6 it
// stays unconfigured.
type Interface struct {
	Index int    // of the NIC in the instance
	Name  string // the Linux name where a format needs one
	MAC   string // empty when unknown
	IPv4  Method
	IPv6  Method
	// Addresses and gateways of the static methods; an invalid gateway means
	// that there is none.
	Address4, Address6 netip.Prefix
	Gateway4, Gateway6 netip.Addr
	// Metrics of the default routes, 0 where none is needed.
	Metric4, Metric6 int
	// DNS and Search are what the resolver is told, MTU is the largest packet, 0
	// for the driver's own.
	DNS    []netip.Addr
	Search []string
	MTU    int
}

// Configured reports whether the interface gets an address.
func (i Interface) Configured() bool { return i.IPv4 != None || i.IPv6 != None }

// Addresses returns the static addresses.
func (i Interface) Addresses() []netip.Prefix {
	var out []netip.Prefix
	if i.IPv4 == Static {
		out = append(out, i.Address4)
	}
	if i.IPv6 == Static {
		out = append(out, i.Address6)
	}
	return out
}

// OnLink4 reports whether the IPv4 gateway is outside of the subnet: it is reached on the
// link then.
func (i Interface) OnLink4() bool { return i.Gateway4.IsValid() && !i.Address4.Contains(i.Gateway4) }

// OnLink6 is OnLink4 for IPv6, where link-local addresses are always on the link.
func (i Interface) OnLink6() bool {
	return i.Gateway6.IsValid() && !i.Address6.Contains(i.Gateway6) && !i.Gateway6.IsLinkLocalUnicast()
}

// Static reports whether one of its addresses is static.
func (i Interface) Static() bool { return i.IPv4 == Static || i.IPv6 == Static }

// Method is how an interface gets its addresses of one family.
type Method int

// The methods. DHCP is DHCPv4, or stateful DHCPv6; SLAACDHCP is SLAAC with
// stateless DHCPv6 for the rest of the configuration.
const (
	None Method = iota
	Static
	DHCP
	SLAAC
	SLAACDHCP
)

// Tags are the network tags that choose a method.
type Tags struct {
	DHCP      []string
	Stateful  []string
	Stateless []string
}

// ErrLeave says that the network configuration of the image is to be left as
// it is.
var ErrLeave = errors.New("the configuration of the default NIC is empty")

// Plan decides the configuration of each NIC. The only NIC of an instance, when
// nothing is known about it, gets defaultNIC ("dhcp", "dhcp+slaac", …); if that
// is empty, Plan returns ErrLeave.
func Plan(nics []spec.NIC, tags Tags, defaultNIC string) ([]Interface, error) {
	var out []Interface
	for i, nic := range nics {
		iface, err := plan(i, nic, tags)
		if err != nil {
			return nil, fmt.Errorf("configuring NIC %d: %w", i, err)
		}
		out = append(out, iface)
	}
	if len(nics) == 1 && nics[0].Unknown() {
		if err := out[0].setDefault(defaultNIC); err != nil {
			return nil, err
		}
	}
	rankRoutes(out)
	return out, nil
}

func plan(index int, nic spec.NIC, tags Tags) (Interface, error) {
	iface := Interface{Index: index, Name: fmt.Sprintf("eth%d", index)}
	if nic.MAC != "" {
		mac, err := net.ParseMAC(nic.MAC)
		if err != nil || len(mac) != 6 {
			return iface, fmt.Errorf("%q is not an Ethernet address", nic.MAC)
		}
		iface.MAC = mac.String()
	}
	if err := iface.describe(nic); err != nil {
		return iface, err
	}
	ip, err := address(nic.IP)
	if err != nil {
		return iface, err
	}
	if ip.Is4() || nic.DHCP {
		if err := iface.plan4(ip, nic, tags); err != nil {
			return iface, err
		}
	}
	ip6, err := address(nic.IP6)
	if err != nil {
		return iface, err
	}
	if ip.Is6() {
		ip6 = ip
	}
	return iface, iface.plan6(ip6, nic, tags)
}

// describe takes over what is the same whatever the addresses are.
func (i *Interface) describe(nic spec.NIC) error {
	i.Search, i.MTU = nic.Search, nic.MTU
	var err error
	i.DNS, err = servers(nic.DNS)
	return err
}

// address parses an optional address.
func address(text string) (netip.Addr, error) {
	if text == "" {
		return netip.Addr{}, nil
	}
	ip, err := netip.ParseAddr(text)
	if err != nil || ip.Zone() != "" {
		return ip, fmt.Errorf("%q is not an IP address", text)
	}
	return ip.Unmap(), nil
}

// plan4 decides IPv4: by DHCP if the network says so or does not have a subnet.
func (i *Interface) plan4(ip netip.Addr, nic spec.NIC, tags Tags) error {
	if nic.DHCP || nic.Subnet == "" || anyOf(nic.Tags, tags.DHCP) {
		i.IPv4 = DHCP
		return nil
	}
	var err error
	i.IPv4 = Static
	if i.Address4, err = withPrefix(ip, nic.Subnet); err != nil {
		return err
	}
	i.Gateway4, err = gateway(nic.Gateway, ip)
	return err
}

// plan6 decides IPv6: an address of the NIC is static, else the tags choose.
func (i *Interface) plan6(ip netip.Addr, nic spec.NIC, tags Tags) error {
	switch {
	case ip.Is6():
		if nic.Subnet6 == "" {
			return fmt.Errorf("its network has no IPv6 subnet for the address %s", ip)
		}
		var err error
		i.IPv6 = Static
		if i.Address6, err = withPrefix(ip, nic.Subnet6); err != nil {
			return err
		}
		i.Gateway6, err = gateway(nic.Gateway6, ip)
		return err
	case nic.Gateway6 != "":
		i.IPv6 = tagged6(nic.Tags, tags)
	}
	return nil
}

// tagged6 lets the last tag that is in a list decide; one that is in both
// means stateless.
func tagged6(nic []string, tags Tags) Method {
	for _, tag := range slices.Backward(nic) {
		switch {
		case slices.Contains(tags.Stateless, tag):
			return SLAACDHCP
		case slices.Contains(tags.Stateful, tag):
			return DHCP
		}
	}
	return SLAAC
}

// setDefault gives the default NIC its configuration.
func (i *Interface) setDefault(config string) error {
	if config == "" {
		return ErrLeave
	}
	v4, v6, both := strings.Cut(config, "+")
	if !both && config != "dhcp" {
		v4, v6 = "", config
	}
	methods := map[string]Method{"": None, "dhcpv6": DHCP, "slaac": SLAAC, "slaac_dhcp": SLAACDHCP}
	method, ok := methods[v6]
	if !ok || both && v6 == "" || v4 != "" && v4 != "dhcp" || both && v4 == "" {
		return fmt.Errorf("configuring the default NIC: %q is not dhcp, dhcpv6, slaac, slaac_dhcp, nor dhcp+ with one of the last three", config)
	}
	if v4 == "dhcp" {
		i.IPv4 = DHCP
	}
	i.IPv6 = method
	return nil
}

func anyOf(have, list []string) bool {
	return slices.ContainsFunc(have, func(tag string) bool { return slices.Contains(list, tag) })
}

// withPrefix gives an address the prefix length of its subnet.
func withPrefix(ip netip.Addr, subnet string) (netip.Prefix, error) {
	net, err := netip.ParsePrefix(subnet)
	if err != nil || net.Addr().Is4() != ip.Is4() {
		return netip.Prefix{}, fmt.Errorf("%q is not a subnet for the address %s", subnet, ip)
	}
	return netip.PrefixFrom(ip, net.Bits()), nil
}

// gateway parses an optional gateway of the same family as ip.
func gateway(s string, ip netip.Addr) (netip.Addr, error) {
	if s == "" {
		return netip.Addr{}, nil
	}
	gw, err := netip.ParseAddr(s)
	if err != nil || gw.Is4() != ip.Is4() || gw.Zone() != "" {
		return netip.Addr{}, fmt.Errorf("%q is not a gateway for the address %s", s, ip)
	}
	return gw, nil
}
