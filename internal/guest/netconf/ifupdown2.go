package netconf

import (
	"fmt"
	"strings"
)

// Ifupdown2 returns the content of /etc/network/interfaces for the ifupdown2 of Cumulus
// and Proxmox (ifupdown-addons-interfaces(5)). It finds interfaces by their names and sets
// gateways that are outside of the subnet by itself.
func Ifupdown2(interfaces []Interface, sources []string) []byte {
	return stanzas(interfaces, sources, func(b *strings.Builder, i Interface) {
		fmt.Fprintf(b, "auto %s\n", i.Name)
		writeFamily2(b, i, i.IPv4, "inet", i.Address4.String(), i.route4())
		writeFamily2(b, i, i.IPv6, "inet6", i.Address6.String(), i.route6())
	})
}

func writeFamily2(b *strings.Builder, i Interface, m Method, family, address string, r route) {
	put := func(format string, args ...any) { fmt.Fprintf(b, "\t"+format+"\n", args...) }
	if m == None {
		return
	}
	first := family == "inet" || i.IPv4 == None
	switch m {
	case Static:
		fmt.Fprintf(b, "iface %s %s static\n", i.Name, family)
		put("address %s", address)
		if r.gateway.IsValid() {
			put("gateway %s", r.gateway)
		}
	case DHCP:
		fmt.Fprintf(b, "iface %s %s dhcp\n", i.Name, family)
	default:
		fmt.Fprintf(b, "iface %s %s manual\n", i.Name, family)
	}
	if r.metric > 0 {
		put("metric %d", r.metric)
	}
	if first && i.MTU > 0 {
		put("mtu %d", i.MTU)
	}
	if family == "inet6" {
		for _, line := range advertisements(i) {
			put("pre-up %s", line)
		}
		if m == SLAACDHCP {
			put("post-up dhclient -6 -S -nw $IFACE")
		}
	}
}

// advertisements are the commands that let router advertisements configure an interface,
// or not. Temporary addresses are not the ones the cluster's administrator computes from
// the MAC.
func advertisements(i Interface) []string {
	const setting = "echo %d > /proc/sys/net/ipv6/conf/$IFACE/%s || :" // a kernel without IPv6 has none
	if !i.advertised() {
		return []string{fmt.Sprintf(setting, 0, "accept_ra")}
	}
	return []string{
		fmt.Sprintf(setting, 1, "accept_ra"),
		fmt.Sprintf(setting, map[bool]int{true: 1}[i.IPv6 != DHCP], "autoconf"),
		fmt.Sprintf(setting, 0, "use_tempaddr"),
	}
}

// stanzas returns an interfaces file: what it includes, the loopback interface, and what
// write makes for each configured NIC.
func stanzas(interfaces []Interface, sources []string, write func(b *strings.Builder, i Interface)) []byte {
	var b strings.Builder
	b.WriteString(Header)
	if len(sources) > 0 {
		b.WriteString("\n" + strings.Join(sources, "\n") + "\n")
	}
	b.WriteString("\nauto lo\niface lo inet loopback\n")
	for _, i := range interfaces {
		if i.Configured() {
			b.WriteString("\n")
			write(&b, i)
		}
	}
	return []byte(b.String())
}
