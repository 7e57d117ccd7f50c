package netconf

import (
	"net/netip"
	"slices"
)

// Common is what holds for every interface with a static address that has
// nothing of its own.
type Common struct {
	DNS, Search []string
	MTU         int
}

// Supply gives interfaces with a static address what they lack of c. The others
// hear of it by DHCP or router advertisements.
func Supply(interfaces []Interface, c Common) error {
	dns, err := servers(c.DNS)
	if err != nil {
		return err
	}
	for n := range interfaces {
		i := &interfaces[n]
		if !i.Static() {
			continue
		}
		if len(i.DNS) == 0 {
			i.DNS = dns
		}
		if len(i.Search) == 0 {
			i.Search = c.Search
		}
		if i.MTU == 0 {
			i.MTU = c.MTU
		}
	}
	return nil
}

// Resolver returns the name servers and search domains of all interfaces, each
// once, in the order of the interfaces.
func Resolver(interfaces []Interface) (dns []netip.Addr, search []string) {
	for _, i := range interfaces {
		for _, server := range i.DNS {
			if !slices.Contains(dns, server) {
				dns = append(dns, server)
			}
		}
		for _, domain := range i.Search {
			if !slices.Contains(search, domain) {
				search = append(search, domain)
			}
		}
	}
	return dns, search
}

func servers(texts []string) ([]netip.Addr, error) {
	var out []netip.Addr
	for _, text := range texts {
		ip, err := address(text)
		if err != nil {
			return nil, err
		}
		out = append(out, ip)
	}
	return out, nil
}
