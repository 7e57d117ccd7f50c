package netconf

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Ifupdown is what the renderer must know about the ifupdown of the image.
type Ifupdown struct {
	// Version is that of the Debian package, empty for any other program that
	// reads /etc/network/interfaces.
	Version string
	// KernelNames says that the image leaves the interfaces their names of the
	// kernel: eth0 and so on, in the order in which drivers find them.
	KernelNames bool
	// Sources are the "source" lines of the file that is replaced, as they are.
	Sources []string
	// Dhcpcd is set where DHCP is dhcpcd's, which ifupdown starts for IPv4 alone: for an
	// interface that it serves it listens to advertisements, too, and its own file says what
	// it does.
	Dhcpcd bool
}

// Render returns the content of /etc/network/interfaces, interfaces(5).
//
// NICs are matched by their MAC address with "rename", which ifupdown has since
// 0.8.22 and its udev script since 0.8.23. The other way, a pattern
// ("auto mac/…/=eth0"), loses a race at boot: networking.service waits for udev
// only if "ifquery --list" prints a name, and a pattern expands to none while
// the driver is not loaded yet. With rename the name after "auto" is a literal,
// so ifup waits, then finds the interface by its MAC whether the kernel or udev
// (ens3, enp1s0) named it, and an administrator's "ifup eth0" works. With
// net.ifnames=0 the interface already has its name and nothing is renamed.
//
// Several NICs then may have each other's names, and "ifup -a" ends at the
// first rename to a name that is taken, before any interface is up, lo
// included. They are called nicN, which the kernel gives to none.
func (f Ifupdown) Render(interfaces []Interface) []byte {
	return stanzas(f.Named(interfaces), f.Sources, func(b *strings.Builder, i Interface) {
		b.WriteString(f.selector(i))
		options := common(i)
		writeIPv4(b, i, options)
		if i.IPv4 != None {
			options = "" // they count for the interface, whatever the family
		}
		switch {
		case !f.Dhcpcd || !i.servedByDhcpcd():
			writeIPv6(b, i, options)
		case i.IPv4 != DHCP:
			fmt.Fprintf(b, "iface %s inet6 manual\n\tpost-up dhcpcd -b $IFACE\n\tpre-down dhcpcd -k $IFACE || true\n%s", i.Name, options)
		}
	})
}

// Named returns the interfaces with the names that they get.
func (f Ifupdown) Named(interfaces []Interface) []Interface {
	named := slices.Clone(interfaces)
	for n, i := range named {
		if f.AvoidsKernelNames(interfaces) && i.MAC != "" {
			named[n].Name = fmt.Sprintf("nic%d", i.Index)
		}
	}
	return named
}

// ethernet is the pattern of the names that kernel and udev give to Ethernet
// interfaces: eth0, ens3, enp1s0, enx525400000001.
const ethernet = "/e[nt]*"

// selector returns the lines that bring the interface up at boot.
//
// A NIC whose MAC address is unknown is the machine's first, second, … Ethernet
// interface in the kernel's order, whatever it is called. It is not renamed: once
// interfaces have addresses their order is another one, and "ifup" ends at a
// rename to a name that is taken. See ByPattern.
func (f Ifupdown) selector(i Interface) string {
	switch {
	case i.MAC != "" && f.renames():
		return fmt.Sprintf("rename mac/%s/=%s\nauto %s\n", i.MAC, i.Name, i.Name)
	case f.renames():
		return fmt.Sprintf("# Ethernet interface %d, whatever its name\nauto %s/%d=%s\n", i.Index+1, ethernet, i.Index+1, i.Name)
	}
	return fmt.Sprintf("auto %s\n", i.Name)
}

// common returns the options that do not depend on the family. What the resolver
// is told is only read where resolvconf or a resolved of systemd are installed.
func common(i Interface) string {
	var b strings.Builder
	switch {
	case i.MTU > 0 && i.IPv4 == Static, i.MTU > 0 && i.IPv4 == None && i.IPv6 == Static:
		fmt.Fprintf(&b, "\tmtu %d\n", i.MTU)
	case i.MTU > 0: // the other methods have no such option
		fmt.Fprintf(&b, "\tpre-up ip link set dev $IFACE mtu %d\n", i.MTU)
	}
	if len(i.DNS) > 0 {
		b.WriteString("\tdns-nameservers")
		for _, server := range i.DNS {
			b.WriteString(" " + server.String())
		}
		b.WriteString("\n")
	}
	if len(i.Search) > 0 {
		b.WriteString("\tdns-search " + strings.Join(i.Search, " ") + "\n")
	}
	return b.String()
}

func writeIPv4(b *strings.Builder, i Interface, options string) {
	switch i.IPv4 {
	case None:
		return
	case Static:
		fmt.Fprintf(b, "iface %s inet static\n\taddress %s\n", i.Name, i.Address4)
		if i.Gateway4.IsValid() {
			fmt.Fprintf(b, "\tgateway %s\n", i.Gateway4)
			writeMetric(b, i.Metric4)
		}
	default:
		fmt.Fprintf(b, "iface %s inet dhcp\n", i.Name)
		writeMetric(b, i.Metric4)
	}
	b.WriteString(options)
}

// writeIPv6 writes the inet6 stanza. privext 0: the addresses must be the ones
// the cluster's administrator computes from the MAC.
func writeIPv6(b *strings.Builder, i Interface, options string) {
	switch i.IPv6 {
	case None:
		return
	case DHCP:
		fmt.Fprintf(b, "iface %s inet6 dhcp\n", i.Name)
	case SLAAC:
		fmt.Fprintf(b, "iface %s inet6 auto\n\tprivext 0\n", i.Name)
	case SLAACDHCP:
		fmt.Fprintf(b, "iface %s inet6 auto\n\tprivext 0\n\tdhcp 1\n", i.Name)
	case Static:
		fmt.Fprintf(b, "iface %s inet6 static\n\taddress %s\n", i.Name, i.Address6)
		if i.Gateway6.IsValid() {
			fmt.Fprintf(b, "\tgateway %s\n", i.Gateway6)
			writeMetric(b, i.Metric6)
		}
	}
	b.WriteString(options)
}

// ByPattern reports whether an interface is found by a pattern. ifupdown expands
// a pattern to what is there at that moment, so "ifup -a" must not run before
// udev has found the interfaces: networking.service waits for it only if
// "ifquery --list" prints a name, and then there is none yet.
func (f Ifupdown) ByPattern(interfaces []Interface) bool {
	return f.renames() && slices.ContainsFunc(interfaces, func(i Interface) bool { return i.Configured() && i.MAC == "" })
}

func writeMetric(b *strings.Builder, metric int) {
	if metric > 0 {
		fmt.Fprintf(b, "\tmetric %d\n", metric)
	}
}

// MatchesByMAC reports whether the image's ifupdown can find a NIC by its MAC.
func (f Ifupdown) MatchesByMAC() bool { return f.renames() }

// AvoidsKernelNames reports whether NIC n is called nicN, not ethN.
func (f Ifupdown) AvoidsKernelNames(interfaces []Interface) bool {
	return f.KernelNames && f.renames() && len(interfaces) > 1
}

// renames compares the upstream version with 0.8.23.
func (f Ifupdown) renames() bool {
	version := f.Version
	if _, rest, ok := strings.Cut(version, ":"); ok {
		version = rest // without the epoch
	}
	for _, least := range []int{0, 8, 23} {
		end := strings.IndexFunc(version, func(r rune) bool { return r < '0' || r > '9' })
		if end < 0 {
			end = len(version)
		}
		n, err := strconv.Atoi(version[:end])
		if err != nil || n < least {
			return false
		}
		if n > least {
			return true
		}
		version = strings.TrimPrefix(version[end:], ".")
	}
	return true
}
