package netconf

import (
	"fmt"
	"net/netip"
	"strings"
)

// IfupdownNG is what the renderer must know about the ifupdown of Alpine and others that
// do not find an interface by its MAC address.
type IfupdownNG struct {
	// Busybox is the ifupdown that Alpine had before ifupdown-ng: it wants netmasks.
	Busybox bool
	// Sources are the "source" lines of the file that is replaced, as they are.
	Sources []string
	// DHCP6 is the command of the image's DHCPv6 client, "" for none.
	DHCP6 string
	// Dhcpcd is set where DHCP is dhcpcd's: for an interface that it serves it listens to
	// advertisements, too, and its own file says what it does.
	Dhcpcd bool
}

// Render returns the content of /etc/network/interfaces (interfaces(5) of ifupdown-ng).
// Neither program sets a gateway that is outside of the subnet, and busybox does not know
// the method auto. A stanza of ifupdown-ng is what all stanzas of that name have.
func (f IfupdownNG) Render(interfaces []Interface) []byte {
	return stanzas(interfaces, f.Sources, func(b *strings.Builder, i Interface) {
		fmt.Fprintf(b, "auto %s\n", i.Name)
		f.writeIPv4(b, i)
		f.writeIPv6(b, i)
	})
}

// address writes a static address.
func (f IfupdownNG) address(put func(string, ...any), a netip.Prefix) {
	switch {
	case !f.Busybox:
		put("address %s", a)
	case a.Addr().Is4():
		put("address %s", a.Addr())
		put("netmask %s", netmask(a))
	default:
		put("address %s", a.Addr())
		put("netmask %d", a.Bits())
	}
}

func (f IfupdownNG) writeIPv4(b *strings.Builder, i Interface) {
	put := func(format string, args ...any) { fmt.Fprintf(b, "\t"+format+"\n", args...) }
	switch i.IPv4 {
	case None:
		return
	case Static:
		fmt.Fprintf(b, "iface %s inet static\n", i.Name)
		f.address(put, i.Address4)
		ngGateway(put, i.route4())
	default:
		fmt.Fprintf(b, "iface %s inet dhcp\n", i.Name)
		if i.Metric4 > 0 && !f.Dhcpcd {
			put("metric %d", i.Metric4)
		}
	}
	ngMTU(put, i)
}

// ngGateway has its routes in commands: the word metric is not in every version, and in
// ifupdown-ng it counts for both families.
func ngGateway(put func(string, ...any), r route) {
	if r.gateway.IsValid() && !r.onLink && r.metric == 0 {
		put("gateway %s", r.gateway)
		return
	}
	family := "-4"
	if r.gateway.Is6() {
		family = "-6"
	}
	for _, line := range r.lines(" dev $IFACE") {
		put("post-up ip %s route add %s", family, line)
	}
}

func ngMTU(put func(string, ...any), i Interface) {
	if i.MTU > 0 {
		put("pre-up ip link set dev $IFACE mtu %d", i.MTU)
	}
}

func (f IfupdownNG) writeIPv6(b *strings.Builder, i Interface) {
	put := func(format string, args ...any) { fmt.Fprintf(b, "\t"+format+"\n", args...) }
	switch i.IPv6 {
	case None:
		return
	case Static:
		fmt.Fprintf(b, "iface %s inet6 static\n", i.Name)
		f.address(put, i.Address6)
	default:
		fmt.Fprintf(b, "iface %s inet6 manual\n", i.Name)
		if i.IPv4 == None {
			put("pre-up ip link set dev $IFACE up") // the method manual of busybox does not
		}
	}
	kernel := i
	if f.Dhcpcd && i.servedByDhcpcd() {
		kernel.IPv6 = None
	}
	for _, line := range advertisements(kernel) {
		put("pre-up %s", line)
	}
	if i.IPv4 == None {
		ngMTU(put, i)
	}
	if i.IPv6 == Static {
		ngGateway(put, i.route6())
	}
	if i.asksDHCP6() && f.DHCP6 != "" && !(f.Dhcpcd && i.IPv4 == DHCP) {
		put("post-up %s", f.DHCP6)
	}
}
