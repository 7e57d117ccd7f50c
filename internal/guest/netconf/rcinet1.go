package netconf

import (
	"fmt"
	"net/netip"
	"strconv"
)

// RcInet1 returns the content of Slackware's /etc/rc.d/rc.inet1.conf, as versions since 15.0
// read it (rc.inet1.conf(5)), and commands for what it has no words for: a gateway outside of
// the subnet, a link-local one, a route with a metric, and the second gateway of a family.
func RcInet1(interfaces []Interface) (config []byte, commands []string) {
	v := newVariables()
	var gateway4, gateway6 netip.Addr
	for _, i := range interfaces {
		rest := i
		if plain(i.Gateway4, i.OnLink4(), i.Metric4) && !gateway4.IsValid() {
			gateway4, rest.Gateway4 = i.Gateway4, netip.Addr{}
		}
		if plain(i.Gateway6, i.OnLink6(), i.Metric6) && !gateway6.IsValid() {
			gateway6, rest.Gateway6 = i.Gateway6, netip.Addr{}
		}
		if i.Configured() {
			rcInet1Interface(v, i)
		}
		commands = append(commands, routeCommands(rest)...)
	}
	v.b.WriteString("\n")
	v.quoted("GATEWAY", text(gateway4))
	v.quoted("GATEWAY6", text(gateway6))
	v.quoted("DEBUG_ETH_UP", "no")
	return []byte(v.b.String()), commands
}

// plain reports whether a gateway is one that rc.inet1 can be told of: it adds a route
// without a device.
func plain(gateway netip.Addr, onLink bool, metric int) bool {
	return gateway.IsValid() && !onLink && metric == 0 && !gateway.IsLinkLocalUnicast()
}

func text(a netip.Addr) string {
	if !a.IsValid() {
		return ""
	}
	return a.String()
}

// rcInet1Interface writes the parameters of one interface. dhcpcd asks for addresses and, as
// the advertisements say, makes them.
func rcInet1Interface(v *variables, i Interface) {
	set := func(name, value string) { v.quoted(fmt.Sprintf("%s[%d]", name, i.Index), value) }
	yes := map[bool]string{true: "yes"}
	v.b.WriteString("\n")
	set("IFNAME", i.Name)
	set("IPADDRS", addressOf(i.IPv4, i.Address4))
	set("USE_DHCP", yes[i.IPv4 == DHCP])
	set("IP6ADDRS", addressOf(i.IPv6, i.Address6))
	set("USE_SLAAC", yes[i.IPv6 == SLAAC])
	set("USE_DHCP6", yes[i.asksDHCP6()])
	set("DHCP_HOSTNAME", "")
	if i.MTU > 0 {
		set("MTU", strconv.Itoa(i.MTU))
	}
	if i.Dynamic() && len(i.DNS)+len(i.Search) > 0 {
		set("DHCP_KEEPRESOLV", "yes")
	}
}

func addressOf(m Method, a netip.Prefix) string {
	if m != Static {
		return ""
	}
	return a.String()
}
