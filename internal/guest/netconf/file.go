package netconf

import (
	"net/netip"
	"strconv"
	"strings"
)

// File is one of several files that describe an interface, by its name in the directory
// of the stack.
type File struct {
	Name string
	Data []byte
}

// variables collects the assignments of a file that a shell reads. Values are addresses,
// names and numbers in their canonical form: none needs more than quotes.
type variables struct{ b strings.Builder }

func newVariables() *variables {
	v := &variables{}
	v.b.WriteString(Header)
	return v
}

func (v *variables) set(name, value string) {
	v.b.WriteString(name + "=" + value + "\n")
}

// quoted sets a value that may have blanks.
func (v *variables) quoted(name, value string) { v.set(name, `"`+value+`"`) }

// setIf sets a variable that may be left out.
func (v *variables) setIf(wanted bool, name, value string) {
	if wanted {
		v.set(name, value)
	}
}

func (v *variables) file(name string) File { return File{name, []byte(v.b.String())} }

// listing returns a file of lines, or none.
func listing(name string, lines []string) []File {
	if len(lines) == 0 {
		return nil
	}
	return []File{{name, []byte(Header + strings.Join(lines, "\n") + "\n")}}
}

// joined returns the texts of addresses with a blank between them.
func joined(addresses []netip.Addr) string {
	texts := make([]string, len(addresses))
	for n, a := range addresses {
		texts[n] = a.String()
	}
	return strings.Join(texts, " ")
}

// advertised reports whether router advertisements configure the interface.
func (i Interface) advertised() bool { return i.IPv6 != None && i.IPv6 != Static }

// asksDHCP6 reports whether a DHCPv6 server is asked.
func (i Interface) asksDHCP6() bool { return i.IPv6 == DHCP || i.IPv6 == SLAACDHCP }

// yesNo is how most files say it.
func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

// route is the default route of a family in the words of ip-route(8).
type route struct {
	gateway netip.Addr
	onLink  bool
	metric  int
}

func (i Interface) route4() route { return route{i.Gateway4, i.OnLink4(), i.Metric4} }
func (i Interface) route6() route { return route{i.Gateway6, i.OnLink6(), i.Metric6} }

// lines returns what is added to the table of routes: first the gateway, where it is
// outside of the subnet. suffix ends each line.
func (r route) lines(suffix string) []string {
	if !r.gateway.IsValid() {
		return nil
	}
	var lines []string
	if r.onLink {
		lines = append(lines, netip.PrefixFrom(r.gateway, r.gateway.BitLen()).String()+suffix)
	}
	return append(lines, "default via "+r.gateway.String()+suffix+r.ranked())
}

// ranked returns the metric, where there is one.
func (r route) ranked() string {
	if r.metric == 0 {
		return ""
	}
	return " metric " + strconv.Itoa(r.metric)
}
