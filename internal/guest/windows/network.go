package windows

import (
	"snf-image/internal/guest/netconf"
	"snf-image/internal/guest/outcome"
	"snf-image/internal/guest/system"
	"snf-image/internal/guest/windows/script"
)

// ConfigureNetwork has the interfaces with a static address configured when the set-up is
// complete. The others Windows configures by itself.
func ConfigureNetwork(g system.Guest, s System, interfaces []netconf.Interface) error {
	for _, p := range []string{script.Network, script.NetworkPS} { // what was wanted before
		if !g.Root.Has(p) {
			continue
		}
		if err := g.Root.Remove(p); err != nil {
			return err
		}
	}
	static := 0
	for _, i := range interfaces {
		if i.Static() {
			static++
		}
	}
	switch {
	case static == 0:
		return outcome.Skip("Windows asks for its addresses by DHCP, and listens to routers")
	case s.Major < 6:
		g.Warn("static addresses are not set on Windows XP and Server 2003, which ask by DHCP")
		return nil
	}
	batch, powershell := script.ConfigureNetwork(interfaces, s.modern())
	if powershell != nil {
		if err := put(g.Root, script.NetworkPS, powershell); err != nil {
			return err
		}
	}
	return put(g.Root, script.Network, batch)
}
