package netconf

import (
	"strconv"
	"strings"
)

// Dhcpcd returns dhcpcd.conf(5) with the interfaces that learn of their addresses, and no
// others: what else it has of Ethernet interfaces is commented out, options for all stay. An
// option counts for the "interface", "ssid" or "profile" above it, and for all before the
// first one. Where something else starts it for single interfaces, manager is not set: it may
// serve others, too.
func Dhcpcd(old []byte, interfaces []Interface, manager bool) []byte {
	var globals, blocks strings.Builder
	out, disabled, own := &globals, false, false
	for line := range strings.Lines(string(old)) {
		word, value, _ := strings.Cut(strings.TrimSpace(strings.ReplaceAll(line, "\t", " ")), " ")
		switch text := strings.TrimSpace(line); {
		case text == blockBegin, text == blockEnd:
			own, out = text == blockBegin, &blocks // which are behind ours
			continue
		case own:
			continue
		case word == "interface", word == "ssid", word == "profile":
			out = &blocks
			disabled = word == "interface" && isNIC(strings.TrimSpace(value))
		}
		if text := strings.TrimSpace(line); text != "" && text[0] != '#' && (disabled || manager && (word == "allowinterfaces" || word == "denyinterfaces")) {
			line = comment(line)
		}
		out.WriteString(strings.TrimRight(line, "\n") + "\n")
	}
	return []byte(globals.String() + blockBegin + "\n" + dhcpcdOwn(interfaces, manager) + blockEnd + "\n" + blocks.String())
}

// isNIC reports whether it is a name of an Ethernet interface, or one that we give.
func isNIC(name string) bool {
	digits, own := strings.CutPrefix(name, "nic")
	_, err := strconv.Atoi(digits)
	return IsEthernet(name) || own && err == nil
}

// dhcpcdOwn has the options. An only interface whose name nobody knows is any Ethernet
// interface: its options are for all.
func dhcpcdOwn(interfaces []Interface, manager bool) string {
	var names, blocks []string
	for _, i := range interfaces {
		if !i.Dynamic() {
			continue
		}
		name, block := i.Name, "interface "+i.Name+"\n"
		if i.MAC == "" && len(interfaces) == 1 {
			name, block = "eth* en*", ""
		}
		names = append(names, name)
		blocks = append(blocks, block+strings.Join(dhcpcdOptions(i), "\n")+"\n")
	}
	own := ""
	switch {
	case manager && len(names) == 0:
		return "denyinterfaces *\n"
	case manager:
		own = "allowinterfaces " + strings.Join(names, " ") + "\n"
	}
	if dns, search := Resolver(interfaces); len(dns)+len(search) > 0 {
		own += "nohook resolv.conf\n" // which has what is static
	}
	return own + strings.Join(blocks, "")
}

// Dynamic reports whether it learns of an address or of routers by DHCP or advertisements.
func (i Interface) Dynamic() bool { return i.IPv4 == DHCP || i.advertised() }

// servedByDhcpcd reports whether dhcpcd, where it is started for single interfaces, listens to
// the advertisements for this one.
func (i Interface) servedByDhcpcd() bool {
	return i.advertised() && (i.IPv4 == DHCP || i.asksDHCP6())
}

// dhcpcdOptions are those of one interface. Its addresses are the ones the cluster's
// administrator computes from the MAC.
func dhcpcdOptions(i Interface) []string {
	lines := []string{"noipv4ll"}
	if i.IPv4 != DHCP {
		lines = append(lines, "noipv4")
	}
	switch i.IPv6 {
	case SLAAC:
		lines = append(lines, "ipv6rs", "slaac hwaddr", "nodhcp6")
	case SLAACDHCP:
		lines = append(lines, "ipv6rs", "slaac hwaddr", "inform6")
	case DHCP:
		lines = append(lines, "ipv6rs", "ipv6ra_noautoconf", "ia_na")
	default:
		lines = append(lines, "noipv6")
	}
	if metric := max(i.Metric4, i.Metric6); metric > 0 {
		lines = append(lines, "metric "+strconv.Itoa(metric))
	}
	return lines
}
