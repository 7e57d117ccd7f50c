package builder

import (
	"fmt"
	"slices"
	"strings"

	"snf-image/internal/host/problem"
	"snf-image/internal/host/values"
	"snf-image/internal/spec"
)

// buildNICs sets NICs, with what the properties say about them, and what holds
// for all static networks.
func (b *builder) buildNICs() {
	for i, nic := range b.in.NICs {
		if err := values.CheckNIC(nic); err != nil {
			b.failNIC(i, b.in.NICOrigin, err)
		}
		b.spec.NICs = append(b.spec.NICs, nic)
	}
	if slices.Equal(b.in.NICFlags, []string{values.NoNIC}) {
		b.spec.NoNIC = true
	} else {
		b.buildNICFlags()
	}
	if b.in.DefaultNIC && len(b.spec.NICs) == 0 && !b.spec.NoNIC && !b.spec.Asked {
		b.spec.NICs = []spec.NIC{{}}
	}
	b.checkMACs()
	if len(b.in.Only) == 0 || slices.Contains(b.in.Only, spec.ConfigureNetwork) { // else these are for other runs
		b.buildIP6()
		b.checkEffects()
		b.buildStatic()
	}
}

func (b *builder) failNIC(i int, origin problem.Origin, err error) {
	b.Report(problem.Problem{Severity: problem.Error, Origin: origin, Path: fmt.Sprintf("nic[%d]", i), Message: err.Error(), Rule: values.ErrNIC})
}

func (b *builder) buildNICFlags() {
	withMAC, needMAC := 0, 0
	for _, flag := range b.in.NICFlags {
		i := len(b.spec.NICs)
		nic, err := values.ParseNIC(flag)
		switch {
		case flag == values.NoNIC:
			err = fmt.Errorf("%w: none means that there is no NIC; leave out the others, or it", values.ErrNIC)
		case err == nil && nic.IP != "" && nic.Subnet == "" && values.IsAddress4(nic.IP):
			b.Report(problem.Problem{
				Severity: problem.Warning, Origin: "--nic", Path: fmt.Sprintf("nic[%d]", i), Rule: values.ErrNIC,
				Message: "the address " + nic.IP + " has no prefix length: the NIC is configured by DHCP", Remedy: "write ip=" + nic.IP + "/24 for a static address",
			})
		}
		if err != nil {
			b.failNIC(i, "--nic", err)
		}
		switch {
		case nic.MAC != "":
			withMAC++
		case !nic.Unknown():
			needMAC++
		}
		b.spec.NICs = append(b.spec.NICs, nic)
	}
	if withMAC > 0 && needMAC > 0 {
		b.Report(problem.Problem{
			Severity: problem.Error, Origin: "--nic", Rule: values.ErrNIC, Message: "some NICs have a MAC address and some do not",
			Remedy: "give mac= for all, or for none, which then are the machine's Ethernet interfaces in the kernel's order",
		})
	}
}

// checkEffects refuses flags that say something about the addresses of a NIC and would
// be left out of its configuration, or be taken for the default NIC. Ganeti may well
// describe a network in which the NIC has no address.
func (b *builder) checkEffects() {
	if b.spec.NoNIC {
		return
	}
	for i, flag := range b.in.NICFlags {
		if _, err := values.ParseNIC(flag); err != nil {
			continue // which is reported already
		}
		i += len(b.in.NICs)
		if err := ineffective(b.spec.NICs[i], values.DeniesDHCP(flag), len(b.spec.NICs) == 1); err != nil {
			b.failNIC(i, "--nic", err)
		}
	}
}

// ineffective returns what of n has no effect. With noDHCP it must not ask for an IPv4
// address, which the only NIC of a machine does when nothing is known about it.
func ineffective(n spec.NIC, noDHCP, only bool) error {
	without4, without6 := !values.IsAddress4(n.IP), n.IP6 == "" && !values.IsAddress6(n.IP)
	unusable := func(name, text, ip string) error {
		return fmt.Errorf("%w: %s=%s has no effect without an address; write %s, too, or leave %s out", values.ErrNIC, name, text, ip, name)
	}
	switch {
	case without4 && n.Gateway != "":
		return unusable("gateway", n.Gateway, "ip=ADDRESS/PREFIX")
	case without4 && n.Subnet != "":
		return unusable("subnet", n.Subnet, "ip=ADDRESS/PREFIX")
	case without6 && n.Subnet6 != "" && n.Gateway6 == "":
		return unusable("subnet6", n.Subnet6, "ip6=ADDRESS/PREFIX")
	case noDHCP && only && n.Unknown():
		return fmt.Errorf("%w: dhcp=no leaves the NIC without an address; write ip=ADDRESS/PREFIX, or --nic none for a machine without a NIC", values.ErrNIC)
	case noDHCP && !without4 && n.Subnet == "":
		return fmt.Errorf("%w: dhcp=no, and the address %s has no prefix length; write ip=%s/24", values.ErrNIC, n.IP, n.IP)
	}
	return nil
}

// checkMACs refuses an address that two NICs share: they are told apart by it.
func (b *builder) checkMACs() {
	seen := map[string]bool{}
	for i, nic := range b.spec.NICs {
		mac := strings.ToLower(nic.MAC)
		if mac != "" && seen[mac] {
			b.Report(problem.Problem{
				Severity: problem.Error, Origin: b.in.NICOrigin, Path: fmt.Sprintf("nic[%d].mac", i),
				Message: "two NICs have the address " + problem.Quote(mac), Rule: values.ErrNIC,
			})
		}
		seen[mac] = true
	}
}

// buildIP6 gives NICs the addresses of NIC_n_IP6. Without a prefix length the
// address has that of the network's IPv6 subnet.
func (b *builder) buildIP6() {
	if b.in.Mode == spec.ModeCheck {
		return
	}
	for name, p := range b.props {
		n, ok := spec.IP6Property(name)
		switch {
		case !ok || strings.TrimSpace(p.text) == "":
			continue
		case n >= len(b.spec.NICs):
			b.reportProperty(problem.Warning, values.ErrNIC, name, fmt.Sprintf("there is no NIC %d, the address is ignored", n), "")
			continue
		case b.spec.NICs[n].IP6 != "":
			continue // a flag wins over a property
		}
		nic := b.spec.NICs[n]
		nic.IP6 = strings.TrimSpace(p.text)
		err := values.SplitPrefixes(&nic)
		if err == nil {
			err = values.CheckNIC(nic)
		}
		if err != nil {
			b.reportProperty(problem.Error, values.ErrNIC, name, err.Error(), "")
			continue
		}
		b.spec.NICs[n] = nic
	}
}

// buildStatic sets DNS, Search and MTU. Lists are separated by blanks, or by commas, as
// image stores write them.
func (b *builder) buildStatic() {
	var err error
	text := func(name string) string {
		return strings.TrimSpace(strings.ReplaceAll(b.spec.Properties[name], ",", " "))
	}
	fail := func(name string) {
		if err != nil {
			b.reportProperty(problem.Error, values.ErrNIC, name, err.Error(), "")
		}
	}
	b.spec.DNS, err = values.ParseDNS(text(spec.PropDNS))
	fail(spec.PropDNS)
	b.spec.Search, err = values.ParseSearch(text(spec.PropSearch))
	fail(spec.PropSearch)
	if text(spec.PropMTU) != "" {
		b.spec.MTU, err = values.ParseMTU(text(spec.PropMTU))
		fail(spec.PropMTU)
	}
}
