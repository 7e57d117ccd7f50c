package netconf

import (
	"fmt"
	"strings"
)

// Header begins every file that a renderer makes.
const Header = "# This file was written by snf-image.\n"

// Networkd returns the content of a file of systemd.network(5) for an interface. alone is
// set for the only NIC of an instance: without a MAC address it is whatever Ethernet
// interface there is.
func Networkd(i Interface, alone bool) []byte {
	var b strings.Builder
	b.WriteString(Header)
	section(&b, "Match", networkdMatch(i, alone)...)
	if !i.Configured() {
		section(&b, "Link", "Unmanaged=yes")
		return []byte(b.String())
	}
	if i.MTU > 0 {
		section(&b, "Link", fmt.Sprintf("MTUBytes=%d", i.MTU))
	}
	section(&b, "Network", networkdNetwork(i)...)
	section(&b, "Route", networkdRoute(i.Gateway4.String(), i.Gateway4.IsValid(), i.OnLink4(), i.Metric4)...)
	section(&b, "Route", networkdRoute(i.Gateway6.String(), i.Gateway6.IsValid(), i.OnLink6(), i.Metric6)...)
	if i.IPv4 == DHCP && i.Metric4 > 0 {
		section(&b, "DHCPv4", fmt.Sprintf("RouteMetric=%d", i.Metric4))
	}
	switch i.IPv6 {
	case SLAAC:
		section(&b, "IPv6AcceptRA", "DHCPv6Client=no")
	case DHCP:
		section(&b, "IPv6AcceptRA", "DHCPv6Client=always")
	}
	return []byte(b.String())
}

// NetworkdOthers keeps the Ethernet interfaces that are not the instance's NICs from
// files of the image that sort behind it.
func NetworkdOthers() []byte {
	var b strings.Builder
	b.WriteString(Header)
	section(&b, "Match", "Name="+anyEthernet+" nic*", "Type=ether")
	section(&b, "Link", "Unmanaged=yes")
	return []byte(b.String())
}

// anyEthernet are the names that kernel and udev give to Ethernet interfaces, as
// patterns of systemd.network(5).
const anyEthernet = "en* eth*"

// section writes a section, if it has any lines.
func section(b *strings.Builder, name string, lines ...string) {
	if len(lines) > 0 {
		fmt.Fprintf(b, "\n[%s]\n%s\n", name, strings.Join(lines, "\n"))
	}
}

// networkdMatch names the interface. A bridge or a VLAN on it may have its MAC address,
// but not its type.
func networkdMatch(i Interface, alone bool) []string {
	switch {
	case i.MAC != "":
		return []string{"MACAddress=" + i.MAC, "Type=ether"}
	case alone:
		return []string{"Name=" + anyEthernet, "Type=ether"}
	}
	return []string{"Name=" + i.Name}
}

func networkdNetwork(i Interface) []string {
	advertised := "no"
	if i.IPv6 != None && i.IPv6 != Static {
		advertised = "yes"
	}
	dhcp := "no"
	switch v4, v6 := i.IPv4 == DHCP, i.IPv6 == DHCP || i.IPv6 == SLAACDHCP; {
	case v4 && v6:
		dhcp = "yes"
	case v4:
		dhcp = "ipv4"
	case v6:
		dhcp = "ipv6"
	}
	lines := []string{"DHCP=" + dhcp, "IPv6AcceptRA=" + advertised, "IPv6PrivacyExtensions=no"}
	for _, a := range i.Addresses() {
		lines = append(lines, "Address="+a.String())
	}
	for _, server := range i.DNS {
		lines = append(lines, "DNS="+server.String())
	}
	if len(i.Search) > 0 {
		lines = append(lines, "Domains="+strings.Join(i.Search, " "))
	}
	return lines
}

func networkdRoute(gateway string, valid, onLink bool, metric int) []string {
	if !valid {
		return nil
	}
	lines := []string{"Gateway=" + gateway}
	if onLink {
		lines = append(lines, "GatewayOnLink=yes")
	}
	if metric > 0 {
		lines = append(lines, fmt.Sprintf("Metric=%d", metric))
	}
	return lines
}
