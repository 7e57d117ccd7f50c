package netconf

import (
	"fmt"
	"net/netip"
	"strings"
)

// The renderers of netplan.
const (
	ByNetworkd       = "networkd"
	ByNetworkManager = "NetworkManager"
)

// Netplan returns the content of a file of netplan(5) for all interfaces, for one of its
// renderers. Addresses and names are quoted: YAML takes some for numbers of base 60.
func Netplan(interfaces []Interface, renderer string) []byte {
	var b strings.Builder
	b.WriteString(Header + "network:\n")
	for line := range strings.Lines(netplanNetwork(interfaces, renderer)) {
		b.WriteString("  " + line)
	}
	return []byte(b.String())
}

// NetworkConfig returns the same, for networkd, as cloud-init's network configuration of
// version 2, which hands it over to netplan.
func NetworkConfig(interfaces []Interface) []byte {
	return []byte(Header + netplanNetwork(interfaces, ByNetworkd))
}

func netplanNetwork(interfaces []Interface, renderer string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "version: 2\nrenderer: %s\n", renderer)
	ethernets := "ethernets:\n"
	for _, i := range interfaces {
		if i.Configured() {
			b.WriteString(ethernets)
			ethernets = ""
			netplanEthernet(&b, i, len(interfaces) == 1, renderer)
		}
	}
	return b.String()
}

func netplanEthernet(b *strings.Builder, i Interface, alone bool, renderer string) {
	put := func(format string, args ...any) { fmt.Fprintf(b, "    "+format+"\n", args...) }
	switch {
	case i.MAC != "":
		fmt.Fprintf(b, "  nic%d:\n", i.Index)
		put("match:")
		put("  macaddress: %q", i.MAC)
	case alone:
		fmt.Fprintf(b, "  nic%d:\n", i.Index)
		put("match:")
		put("  name: %q", "e[nt]*")
	default:
		fmt.Fprintf(b, "  %s:\n", i.Name)
	}
	put("dhcp4: %t", i.IPv4 == DHCP)
	if i.IPv4 == DHCP && i.Metric4 > 0 {
		put("dhcp4-overrides:")
		put("  route-metric: %d", i.Metric4)
	}
	advertised := i.IPv6 != None && i.IPv6 != Static
	// networkd asks a DHCP server only when an advertisement says so; for NetworkManager
	// this is what lets it listen to advertisements at all.
	put("dhcp6: %t", advertised && (i.IPv6 != SLAAC || renderer == ByNetworkManager))
	if metric := netplanMetric6(i, renderer); metric > 0 {
		put("dhcp6-overrides:")
		put("  route-metric: %d", metric)
	}
	put("accept-ra: %t", advertised)
	if i.MTU > 0 {
		put("mtu: %d", i.MTU)
	}
	if addresses := i.Addresses(); len(addresses) > 0 {
		put("addresses:")
		for _, a := range addresses {
			put("  - %q", a)
		}
	}
	netplanRoutes(put, i)
	if len(i.DNS)+len(i.Search) > 0 {
		put("nameservers:")
		putList(put, "addresses", i.DNS)
		putList(put, "search", i.Search)
	}
}

// netplanMetric6 is the metric of routes of advertisements. netplan gives them 100 where it
// writes of DHCPv6 for networkd, which before 249 has one metric for these and for DHCP: with
// both DHCPs netplan takes none but equal ones.
func netplanMetric6(i Interface, renderer string) int {
	switch {
	case !i.advertised(), renderer == ByNetworkd && i.IPv6 == SLAAC:
		return 0
	case renderer == ByNetworkd && i.IPv4 == DHCP:
		return i.Metric4
	}
	return i.metricNM()
}

// netplanRoutes writes the default routes, whose word "default" is not in every version.
func netplanRoutes(put func(string, ...any), i Interface) {
	if i.Gateway4.IsValid() || i.Gateway6.IsValid() {
		put("routes:")
	}
	for _, r := range []struct {
		to      string
		gateway netip.Addr
		onLink  bool
		metric  int
	}{
		{"0.0.0.0/0", i.Gateway4, i.OnLink4(), i.Metric4},
		{"::/0", i.Gateway6, i.OnLink6(), i.Metric6},
	} {
		if !r.gateway.IsValid() {
			continue
		}
		put("  - to: %q", r.to)
		put("    via: %q", r.gateway)
		if r.onLink {
			put("    on-link: true")
		}
		if r.metric > 0 {
			put("    metric: %d", r.metric)
		}
	}
}

func putList[T any](put func(string, ...any), name string, values []T) {
	var quoted []string
	for _, v := range values {
		quoted = append(quoted, fmt.Sprintf("%q", fmt.Sprint(v)))
	}
	if len(quoted) > 0 {
		put("  %s: [%s]", name, strings.Join(quoted, ", "))
	}
}
