package netconf

import (
	"bytes"
	"fmt"
	"strings"
)

// Commands returns a script of sh that configures what is static of the interfaces by
// ip-address(8) and ip-route(8), and says of each whether it listens to advertisements. It is
// for systems that have no files for this. It may be read by the shell of an init: nothing in
// it ends that. With dhcpcd it is not the kernel that listens.
func Commands(interfaces []Interface, dhcpcd bool) []byte {
	var b strings.Builder
	b.WriteString(Header)
	for _, i := range interfaces {
		if !i.Configured() {
			continue
		}
		b.WriteString("\n")
		for _, line := range commands(i, dhcpcd) {
			b.WriteString(line + "\n")
		}
	}
	return []byte(b.String())
}

// commands are those of one interface.
func commands(i Interface, dhcpcd bool) []string {
	kernel := i
	if dhcpcd && i.advertised() {
		kernel.IPv6 = None
	}
	var lines []string
	for _, line := range advertisements(kernel) {
		lines = append(lines, strings.ReplaceAll(line, "$IFACE", i.Name))
	}
	if i.MTU > 0 {
		lines = append(lines, fmt.Sprintf("ip link set dev %s mtu %d", i.Name, i.MTU))
	}
	lines = append(lines, "ip link set dev "+i.Name+" up")
	for _, a := range i.Addresses() {
		lines = append(lines, fmt.Sprintf("ip address add %s dev %s", a, i.Name))
	}
	return append(lines, routeCommands(i)...)
}

// routeCommands are those of its default routes.
func routeCommands(i Interface) []string {
	var lines []string
	for _, r := range []struct {
		family string
		route
	}{{"-4", i.route4()}, {"-6", i.route6()}} {
		for _, line := range r.lines(" dev " + i.Name) {
			lines = append(lines, "ip "+r.family+" route add "+line)
		}
	}
	return lines
}

// The lines around what is ours in a file of somebody else.
const (
	blockBegin = "# The lines from here to the next such mark were written by snf-image."
	blockEnd   = "# End of what snf-image wrote."
)

// HasBlock reports whether a file has lines that are ours.
func HasBlock(data []byte) bool { return bytes.Contains(data, []byte(blockBegin+"\n")) }

// SetBlock puts lines into a script, behind its first line if that names an interpreter, in
// place of those of an earlier run. Without lines only these go.
func SetBlock(script []byte, lines []string) []byte {
	var head, rest strings.Builder
	own := false
	for line := range strings.Lines(string(script)) {
		switch text := strings.TrimSpace(line); {
		case text == blockBegin, text == blockEnd:
			own = text == blockBegin
		case own:
		case strings.HasPrefix(line, "#!") && head.Len()+rest.Len() == 0:
			head.WriteString(strings.TrimRight(line, "\n") + "\n")
		default:
			rest.WriteString(line)
		}
	}
	block := ""
	if len(lines) > 0 {
		block = blockBegin + "\n" + strings.Join(lines, "\n") + "\n" + blockEnd + "\n"
	}
	return []byte(head.String() + block + rest.String())
}
