package netconf

import (
	"fmt"
	"strconv"
	"strings"
)

// Netifrc returns the content of /etc/conf.d/net for all interfaces (net.example of
// Gentoo's netifrc), which are found by their names.
func Netifrc(interfaces []Interface) []byte {
	v := newVariables()
	for _, i := range interfaces {
		if i.Configured() {
			netifrcInterface(v, i)
		}
	}
	v.b.WriteString(netifrcSettings(interfaces))
	return []byte(v.b.String())
}

func netifrcInterface(v *variables, i Interface) {
	set := func(name, value string) { v.quoted(name+"_"+i.Name, value) }
	v.b.WriteString("\n")
	var config []string
	for _, a := range i.Addresses() {
		config = append(config, a.String())
	}
	if i.IPv4 == DHCP {
		config = append(config, "dhcp")
	}
	if i.IPv6 == DHCP {
		config = append(config, "dhcpv6")
	}
	if len(config) == 0 {
		config = []string{"null"} // up, and router advertisements do the rest
	}
	set("config", strings.Join(config, "\n"))
	if routes := append(i.route4().lines(""), i.route6().lines("")...); len(routes) > 0 {
		set("routes", strings.Join(routes, "\n"))
	}
	if i.IPv4 == DHCP && i.Metric4 > 0 {
		set("metric", strconv.Itoa(i.Metric4))
	}
	if i.MTU > 0 {
		set("mtu", strconv.Itoa(i.MTU))
	}
	if len(i.DNS) > 0 {
		set("dns_servers", joined(i.DNS))
	}
	if len(i.Search) > 0 {
		set("dns_search", strings.Join(i.Search, " "))
	}
	if i.IPv4 == DHCP {
		set("dhcpcd", "-4") // it would make IPv6 addresses of its own kind
	}
}

// netifrcSettings is the function that netifrc calls before it brings an interface up.
func netifrcSettings(interfaces []Interface) string {
	var b strings.Builder
	b.WriteString("\npreup() {\n\tcase \"${IFACE}\" in\n")
	for _, i := range interfaces {
		if i.Configured() {
			lines := strings.Join(advertisements(i), "; ")
			fmt.Fprintf(&b, "\t%s) %s ;;\n", i.Name, strings.ReplaceAll(lines, "$IFACE", i.Name))
		}
	}
	b.WriteString("\tesac\n\treturn 0\n}\n")
	return b.String()
}
