package task

import (
	"context"
	"errors"

	"snf-image/internal/guest/netconf"
	"snf-image/internal/guest/network"
	"snf-image/internal/guest/windows"
	"snf-image/internal/spec"
)

// configureNetwork configures the NICs of the instance in the network
// configuration system of the image.
func configureNetwork(_ context.Context, r *Run) error {
	interfaces, err := wantedInterfaces(r.Plan)
	if errors.Is(err, netconf.ErrLeave) {
		return Skip("%v", err)
	}
	if err != nil {
		return err
	}
	if r.Plan.CloudInit {
		return networkByCloudInit(r, interfaces)
	}
	return network.Configure(r.guest(), interfaces, keyfiles(r.Plan))
}

// configureWindowsNetwork has Windows configure its NICs at the first boot.
func configureWindowsNetwork(_ context.Context, r *Run) error {
	interfaces, err := wantedInterfaces(r.Plan)
	if errors.Is(err, netconf.ErrLeave) {
		return Skip("%v", err)
	}
	if err == nil {
		err = r.checkWindowsNetwork()
	}
	if err != nil {
		return err
	}
	return windows.ConfigureNetwork(r.guest(), r.windowsSystem(), interfaces)
}

// checkNetwork finds out, without writing, what configureNetwork would fail with.
func checkNetwork(r *Run) error {
	interfaces, err := wantedInterfaces(r.Plan)
	if errors.Is(err, netconf.ErrLeave) {
		return nil
	}
	if err != nil {
		return err
	}
	return network.Check(r.guest(), interfaces, keyfiles(r.Plan))
}

// keyfiles reports whether NetworkManager's keyfiles are wanted, whatever the image uses.
func keyfiles(p *spec.Plan) bool {
	wanted, _ := spec.ParseBool(p.Properties[spec.PropNMNetworking])
	return wanted
}

// wantedInterfaces decides how each NIC of the plan is configured.
func wantedInterfaces(p *spec.Plan) ([]netconf.Interface, error) {
	tags := netconf.Tags{DHCP: p.DHCPTags, Stateful: p.StatefulTags, Stateless: p.StatelessTags}
	interfaces, err := netconf.Plan(p.NICs, tags, p.DefaultNIC)
	if err != nil {
		return nil, err
	}
	return interfaces, netconf.Supply(interfaces, netconf.Common{DNS: p.DNS, Search: p.Search, MTU: p.MTU})
}
