package netconf

import (
	"fmt"
	"strconv"
	"strings"
)

// Wicked returns the files of /etc/sysconfig/network for an interface (ifcfg(5),
// ifcfg-dhcp(5), ifroute(5) and ifsysctl(5) of wicked). The ifup that SUSE had before
// reads the same. Their names are the name of the interface.
func Wicked(i Interface) []File {
	v := newVariables()
	v.quoted("STARTMODE", "auto")
	v.quoted("BOOTPROTO", wickedProtocol(i))
	for n, a := range i.Addresses() {
		suffix := ""
		if n > 0 {
			suffix = "_" + strconv.Itoa(n)
		}
		v.quoted("IPADDR"+suffix, a.String())
	}
	if i.MTU > 0 {
		v.quoted("MTU", strconv.Itoa(i.MTU))
	}
	if i.IPv4 == DHCP && i.Metric4 > 0 {
		v.quoted("DHCLIENT_ROUTE_PRIORITY", strconv.Itoa(i.Metric4))
	}
	switch i.IPv6 {
	case DHCP:
		v.quoted("DHCLIENT6_MODE", "managed")
	case SLAACDHCP:
		v.quoted("DHCLIENT6_MODE", "info")
	}
	files := []File{v.file("ifcfg-" + i.Name)}
	routes := append(i.route4().columns(), i.route6().columns()...)
	files = append(files, listing("ifroute-"+i.Name, routes)...)
	return append(files, listing("ifsysctl-"+i.Name, wickedSettings(i))...)
}

// wickedProtocol names the DHCP clients; static addresses come beside.
func wickedProtocol(i Interface) string {
	switch v4, v6 := i.IPv4 == DHCP, i.asksDHCP6(); {
	case v4 && v6:
		return "dhcp"
	case v4:
		return "dhcp4"
	case v6:
		return "dhcp6"
	}
	return "static"
}

// columns returns the lines of ifroute(5): destination, gateway, netmask, interface and
// options.
func (r route) columns() []string {
	if !r.gateway.IsValid() {
		return nil
	}
	var lines []string
	if r.onLink {
		lines = append(lines, fmt.Sprintf("%s/%d - - -", r.gateway, r.gateway.BitLen()))
	}
	return append(lines, fmt.Sprintf("default %s - -%s", r.gateway, r.ranked()))
}

// wickedSettings are those of the kernel: router advertisements configure the interface
// where they are asked to, and addresses are the ones the cluster's administrator
// computes from the MAC.
func wickedSettings(i Interface) []string {
	if i.IPv6 == None {
		return []string{"net.ipv6.conf." + i.Name + ".accept_ra = 0"}
	}
	on := func(b bool) string { return map[bool]string{true: "1", false: "0"}[b] }
	var lines []string
	for _, s := range [][2]string{
		{"accept_ra", on(i.advertised())},
		{"autoconf", on(i.IPv6 == SLAAC || i.IPv6 == SLAACDHCP)},
		{"use_tempaddr", "0"},
		{"privacy", "0"}, // the kernel's name, and the one that wicked looks for
	} {
		lines = append(lines, "net.ipv6.conf."+i.Name+"."+s[0]+" = "+s[1])
	}
	return lines
}

// WickedResolver sets the name servers and domains of /etc/sysconfig/network/config, by
// set, which changes one variable of a file.
func WickedResolver(config []byte, interfaces []Interface, set func(data []byte, name, value string) []byte) []byte {
	dns, search := Resolver(interfaces)
	if len(dns) > 0 {
		config = set(config, "NETCONFIG_DNS_STATIC_SERVERS", joined(dns))
	}
	if len(search) > 0 {
		config = set(config, "NETCONFIG_DNS_STATIC_SEARCHLIST", strings.Join(search, " "))
	}
	return config
}
