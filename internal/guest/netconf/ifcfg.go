package netconf

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// Ifcfg returns the files of /etc/sysconfig/network-scripts for an interface. byNM is set
// where NetworkManager's plug-in ifcfg-rh reads them, which matches an interface by its
// MAC address whatever its name (nm-settings-ifcfg-rh(5)). The initscripts need the name
// (sysconfig.txt), and routes of their own where a gateway is outside of the subnet or
// IPv6 has a metric.
func Ifcfg(i Interface, byNM bool) []File {
	v := newVariables()
	v.set("TYPE", "Ethernet")
	if byNM {
		v.set("NAME", i.Name)
	}
	v.setIf(!byNM, "DEVICE", i.Name)
	v.setIf(i.MAC != "", "HWADDR", strings.ToUpper(i.MAC))
	v.set("ONBOOT", "yes")
	v.setIf(!byNM, "NM_CONTROLLED", "no")
	v.setIf(byNM, "AUTOCONNECT_PRIORITY", strconv.Itoa(keyfilePriority))
	v.setIf(i.MTU > 0, "MTU", strconv.Itoa(i.MTU))
	var routes, routes6 []string
	if !byNM {
		routes, routes6 = i.scriptRoutes()
	}
	ifcfgIPv4(v, i, byNM, len(routes) > 0)
	ifcfgIPv6(v, i, byNM, len(routes6) > 0)
	for n, server := range i.DNS {
		v.set(fmt.Sprintf("DNS%d", n+1), server.String())
	}
	if len(i.Search) > 0 {
		v.quoted("DOMAIN", strings.Join(i.Search, " "))
	}
	files := append([]File{v.file("ifcfg-" + i.Name)}, listing("route-"+i.Name, routes)...)
	return append(files, listing("route6-"+i.Name, routes6)...)
}

// scriptRoutes returns the routes that the initscripts do not set by variables.
func (i Interface) scriptRoutes() (routes, routes6 []string) {
	device := " dev " + i.Name
	if r := i.route4(); r.onLink {
		routes = r.lines(device)
	}
	if r := i.route6(); r.onLink || r.metric > 0 {
		routes6 = r.lines(device)
	}
	return routes, routes6
}

func ifcfgIPv4(v *variables, i Interface, byNM, byRoutes bool) {
	metric := "METRIC"
	if byNM {
		metric = "IPV4_ROUTE_METRIC"
	}
	switch i.IPv4 {
	case DHCP:
		v.set("BOOTPROTO", "dhcp")
		v.set("PERSISTENT_DHCLIENT", "yes")
	case Static:
		v.set("BOOTPROTO", "none")
		v.set("IPADDR", i.Address4.Addr().String())
		v.set("PREFIX", strconv.Itoa(i.Address4.Bits()))
		v.set("NETMASK", netmask(i.Address4))
		v.setIf(i.Gateway4.IsValid() && !byRoutes, "GATEWAY", i.Gateway4.String())
	default:
		v.set("BOOTPROTO", "none")
	}
	v.setIf(i.Metric4 > 0, metric, strconv.Itoa(i.Metric4))
}

func ifcfgIPv6(v *variables, i Interface, byNM, byRoutes bool) {
	v.set("IPV6INIT", yesNo(i.IPv6 != None))
	if i.IPv6 == None {
		v.set("IPV6_AUTOCONF", "no")
		return
	}
	// The plug-in listens to advertisements, which lead to the routers, only with
	// IPV6_AUTOCONF; the initscripts have a word for each.
	v.set("IPV6_AUTOCONF", yesNo(i.IPv6 == SLAAC || i.IPv6 == SLAACDHCP || byNM && i.advertised()))
	v.setIf(!byNM, "IPV6_FORCE_ACCEPT_RA", yesNo(i.advertised()))
	v.set("IPV6_PRIVACY", "no")
	v.setIf(byNM, "IPV6_ADDR_GEN_MODE", "eui64")
	if i.asksDHCP6() {
		v.set("DHCPV6C", "yes")
		if i.IPv6 == SLAACDHCP {
			v.quoted("DHCPV6C_OPTIONS", "-S")
		}
	}
	if i.IPv6 == Static {
		v.set("IPV6ADDR", i.Address6.String())
		v.setIf(i.Gateway6.IsValid() && !byRoutes, "IPV6_DEFAULTGW", ifcfgGateway6(i))
	}
	v.setIf(byNM && i.metricNM() > 0, "IPV6_ROUTE_METRIC", strconv.Itoa(i.metricNM()))
}

// ifcfgGateway6 has the interface of a link-local gateway, which the name alone does not
// tell.
func ifcfgGateway6(i Interface) string {
	if i.Gateway6.IsLinkLocalUnicast() && i.MAC == "" {
		return i.Gateway6.String() + "%" + i.Name
	}
	return i.Gateway6.String()
}

// netmask returns the mask of an IPv4 subnet in dotted form.
func netmask(p netip.Prefix) string {
	bits := ^uint32(0)
	if p.Bits() == 0 {
		bits = 0
	} else {
		bits <<= 32 - p.Bits()
	}
	return netip.AddrFrom4([4]byte{byte(bits >> 24), byte(bits >> 16), byte(bits >> 8), byte(bits)}).String()
}
