package netconf

import (
	"fmt"
	"strconv"
	"strings"
)

// Netctl returns a profile of netctl for an interface (netctl.profile(5)), which it finds
// by its name.
func Netctl(i Interface) []byte {
	v := newVariables()
	v.quoted("Description", fmt.Sprintf("NIC %d of the instance", i.Index))
	v.set("Interface", i.Name)
	v.set("Connection", "ethernet")
	v.set("SkipNoCarrier", "yes")
	netctlFamily(v, "", map[Method]string{None: "no", Static: "static", DHCP: "dhcp"}[i.IPv4], i.route4())
	if i.IPv4 == Static {
		v.set("Address", "('"+i.Address4.String()+"')")
	}
	netctlFamily(v, "6", map[Method]string{
		None: "no", Static: "static", DHCP: "dhcp", SLAAC: "stateless", SLAACDHCP: "dhcp-noaddr",
	}[i.IPv6], i.route6())
	if i.IPv6 == Static {
		v.set("Address6", "('"+i.Address6.String()+"')")
	}
	if len(i.DNS) > 0 {
		v.set("DNS", "("+joined(i.DNS)+")")
	}
	if len(i.Search) > 0 {
		v.quoted("DNSSearch", strings.Join(i.Search, " "))
	}
	var custom []string
	if i.MTU > 0 {
		custom = append(custom, "link set dev "+i.Name+" mtu "+strconv.Itoa(i.MTU))
	}
	if len(custom) > 0 {
		v.set("IPCustom", "('"+strings.Join(custom, "' '")+"')")
	}
	if i.advertised() {
		v.quoted("ExecUpPost", "sysctl -q -w net.ipv6.conf."+i.Name+".use_tempaddr=0")
	}
	if i.IPv4 == DHCP && i.Metric4 > 0 {
		v.quoted("DhcpcdOptions", "-L -m "+strconv.Itoa(i.Metric4))
	}
	return []byte(v.b.String())
}

// netctlFamily writes the method of a family. Its own gateway has neither a metric nor a
// word for one that is outside of the subnet: routes have.
func netctlFamily(v *variables, family, method string, r route) {
	v.set("IP"+family, method)
	switch {
	case r.onLink || r.metric > 0:
		v.set("Routes"+family, "('"+strings.Join(r.lines(""), "' '")+"')")
	case r.gateway.IsValid():
		v.set("Gateway"+family, "'"+r.gateway.String()+"'")
	}
}
