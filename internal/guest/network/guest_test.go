package network

import (
	"testing"

	"snf-image/internal/guest/netconf"
	"snf-image/internal/spec"
	"snf-image/tests/guest"
)

var newGuest, open, check, wants = guest.New, guest.Open, guest.Check, guest.Wants

// planned returns the interfaces for NICs and the configuration of the default one.
func planned(t *testing.T, nics []spec.NIC, config string) []netconf.Interface {
	t.Helper()
	interfaces, err := netconf.Plan(nics, netconf.Tags{}, config)
	check(t, err)
	return interfaces
}
