package netconf

import (
	"fmt"
	"net/netip"
	"strings"
)

// keyfilePriority wins over the profiles of the image, which have 0 or less.
const keyfilePriority = 100

// Keyfile returns the content of a connection profile of NetworkManager for an interface
// (nm-settings-keyfile(5)). alone is as for Networkd.
func Keyfile(i Interface, alone bool) []byte {
	var b strings.Builder
	b.WriteString(Header)
	connection := []string{fmt.Sprintf("id=nic%d", i.Index), "type=ethernet", fmt.Sprintf("autoconnect-priority=%d", keyfilePriority)}
	if i.MAC == "" && !alone {
		connection = append(connection, "interface-name="+i.Name)
	}
	section(&b, "connection", connection...)
	var ethernet []string
	if i.MAC != "" {
		ethernet = append(ethernet, "mac-address="+i.MAC)
	}
	if i.MTU > 0 {
		ethernet = append(ethernet, fmt.Sprintf("mtu=%d", i.MTU))
	}
	section(&b, "ethernet", ethernet...)
	section(&b, "ipv4", keyfileIPv4(i)...)
	section(&b, "ipv6", keyfileIPv6(i)...)
	return []byte(b.String())
}

func keyfileIPv4(i Interface) []string {
	var lines []string
	switch i.IPv4 {
	case Static:
		lines = []string{"method=manual", "address1=" + i.Address4.String()}
	case DHCP:
		lines = []string{"method=auto"}
	default:
		return []string{"method=disabled"}
	}
	lines = append(lines, keyfileRoute(i.Gateway4, i.Metric4)...)
	return append(lines, keyfileResolver(i, netip.Addr.Is4, true)...)
}

// keyfileIPv6 has the addresses that the cluster's administrator computes from the MAC.
func keyfileIPv6(i Interface) []string {
	lines := []string{"addr-gen-mode=eui64", "ip6-privacy=0"}
	switch i.IPv6 {
	case Static:
		lines = append([]string{"method=manual", "address1=" + i.Address6.String()}, lines...)
	case DHCP, SLAAC, SLAACDHCP:
		// The advertisement reports whether there is a DHCP server. The method dhcp would
		// not listen to advertisements, by which alone a machine learns of its router.
		lines = append([]string{"method=auto"}, lines...)
	default:
		return []string{"method=link-local"}
	}
	lines = append(lines, keyfileRoute(i.Gateway6, i.metricNM())...)
	return append(lines, keyfileResolver(i, netip.Addr.Is6, i.IPv4 == None)...)
}

// keyfileRoute needs no word about a gateway that is on the link: NetworkManager adds the
// route to it.
func keyfileRoute(gateway netip.Addr, metric int) []string {
	var lines []string
	if gateway.IsValid() {
		lines = append(lines, "gateway="+gateway.String())
	}
	if metric > 0 {
		lines = append(lines, fmt.Sprintf("route-metric=%d", metric))
	}
	return lines
}

// keyfileResolver returns the name servers of a family and, for one of the families, the
// domains.
func keyfileResolver(i Interface, of func(netip.Addr) bool, domains bool) []string {
	var lines []string
	servers := ""
	for _, server := range i.DNS {
		if of(server) {
			servers += server.String() + ";"
		}
	}
	if servers != "" {
		lines = append(lines, "dns="+servers)
	}
	if domains && len(i.Search) > 0 {
		lines = append(lines, "dns-search="+strings.Join(i.Search, ";")+";")
	}
	return lines
}
