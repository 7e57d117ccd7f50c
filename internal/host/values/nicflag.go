package values

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"snf-image/internal/host/problem"
	"snf-image/internal/spec"
)

// NoNIC as the only --nic means a machine without a network interface.
const NoNIC = "none"

// nicNames are the names a --nic flag may hold, as messages list them.
var nicNames = []string{
	"mac", "ip", "ip6", "dhcp", "gateway", "gateway6", "dns", "search", "mtu",
	"subnet", "subnet6", "network", "tags", "name", "mode", "link", "bridge", "model",
}

// ParseNIC reads a --nic flag: NAME=VALUE pairs separated by commas, and the
// word dhcp. An empty flag is a NIC without any information.
func ParseNIC(s string) (spec.NIC, error) {
	var nic spec.NIC
	seen := map[string]bool{}
	for pair := range strings.SplitSeq(s, ",") {
		if s == "" {
			break
		}
		key, text, ok := strings.Cut(pair, "=")
		if pair == "dhcp" {
			text, ok = "yes", true
		}
		if !ok || seen[key] {
			return spec.NIC{}, fmt.Errorf("%w: expected NAME=VALUE once for each name, found %s", ErrNIC, problem.Quote(pair))
		}
		seen[key] = true
		if err := setField(&nic, key, text); err != nil {
			return spec.NIC{}, err
		}
	}
	if err := SplitPrefixes(&nic); err != nil {
		return spec.NIC{}, err
	}
	return nic, CheckNIC(nic)
}

// setField assigns one field by its name in the flag.
func setField(n *spec.NIC, key, text string) (err error) {
	fields := map[string]*string{
		"mac": &n.MAC, "ip": &n.IP, "ip6": &n.IP6, "name": &n.Name, "subnet": &n.Subnet, "gateway": &n.Gateway,
		"subnet6": &n.Subnet6, "gateway6": &n.Gateway6, "network": &n.Network,
		"mode": &n.Mode, "link": &n.Link, "bridge": &n.Bridge, "model": &n.FrontendType,
	}
	field, ok := fields[key]
	switch {
	case ok:
		*field = text
	case key == "tags":
		n.Tags = strings.Fields(text)
	case key == "dns":
		n.DNS, err = ParseDNS(text)
	case key == "search":
		n.Search, err = ParseSearch(text)
	case key == "mtu":
		n.MTU, err = ParseMTU(text)
	case key == "dhcp":
		n.DHCP, ok = spec.ParseBool(text)
		if !ok {
			err = fmt.Errorf("dhcp is %s, expected yes or no", problem.Quote(text))
		}
	default:
		err = fmt.Errorf("unknown name %s; known are %s", problem.Quote(key), strings.Join(nicNames, ", "))
		if hint := problem.DidYouMean(key, nicNames); hint != "" {
			err = fmt.Errorf("unknown name %s; %s", problem.Quote(key), hint)
		}
	}
	if err != nil {
		return fmt.Errorf("%w: %w", ErrNIC, err)
	}
	return nil
}

// DeniesDHCP reports whether a flag says dhcp=no.
func DeniesDHCP(flag string) bool {
	for pair := range strings.SplitSeq(flag, ",") {
		if key, text, ok := strings.Cut(pair, "="); ok && key == "dhcp" {
			yes, known := spec.ParseBool(text)
			return known && !yes
		}
	}
	return false
}

// SplitPrefixes takes the prefix lengths off addresses that were written with them. They
// become the subnets, which then need not be given.
func SplitPrefixes(n *spec.NIC) error {
	for _, f := range []struct {
		name    string
		address *string
		v6      bool
	}{{"ip", &n.IP, false}, {"ip6", &n.IP6, true}} {
		p, err := netip.ParsePrefix(*f.address)
		if err != nil {
			continue // a plain address, which CheckNIC judges
		}
		subnet, name := &n.Subnet, "subnet"
		if p.Addr().Is6() {
			subnet, name = &n.Subnet6, "subnet6"
		}
		given, err := netip.ParsePrefix(*subnet)
		if err == nil && given.Masked() != p.Masked() {
			return fmt.Errorf("%w: %s is %s, but %s is %s", ErrNIC, f.name, p, name, *subnet)
		}
		*f.address = p.Addr().String()
		if *subnet == "" {
			*subnet = p.Masked().String()
		}
	}
	return nil
}

// ParseDNS reads the addresses of name servers, separated by blanks.
func ParseDNS(text string) ([]string, error) {
	servers := strings.Fields(text)
	for _, s := range servers {
		if !isAddress(s) {
			return nil, fmt.Errorf("the name server %s is not an IP address", problem.Quote(s))
		}
	}
	return orNil(servers), nil
}

// ParseSearch reads the domains names are looked for in, separated by blanks.
func ParseSearch(text string) ([]string, error) {
	domains := strings.Fields(text)
	for _, d := range domains {
		if err := CheckHostname(strings.TrimSuffix(d, ".")); err != nil {
			return nil, fmt.Errorf("the search domain %w", err)
		}
	}
	return orNil(domains), nil
}

// orNil returns nil for an empty list, which is how a missing one reads.
func orNil(list []string) []string {
	if len(list) == 0 {
		return nil
	}
	return list
}

// Bounds of an MTU: what IPv4 takes (RFC 791), and what the kernel does.
const (
	minMTU = 68
	maxMTU = 65535
)

// ParseMTU reads the largest packet an interface sends, in bytes.
func ParseMTU(text string) (int, error) {
	n, err := strconv.ParseUint(text, 10, 32)
	if err != nil || n < minMTU || n > maxMTU {
		return 0, errors.New("the MTU " + problem.Quote(text) + " is not a number from 68 to 65535")
	}
	return int(n), nil
}
