package task

import (
	"strings"
	"testing"

	"snf-image/internal/guest/netconf"
	"snf-image/internal/spec"
)

func TestFreeNames(t *testing.T) {
	t.Parallel()
	const rule = `SUBSYSTEM=="net", ATTR{address}=="52:54:00:00:00:01", NAME="eth0"` + "\n"
	for title, c := range map[string]struct {
		mode   spec.Mode
		mac    string
		rule   string
		active bool
	}{
		"another's":         {spec.ModeDeploy, "aa:00:00:00:00:01", rule, false},
		"its own":           {spec.ModeCustomize, "52:54:00:00:00:01", rule, true},
		"unknown, a copy":   {spec.ModeDeploy, "", rule, false},
		"unknown, a living": {spec.ModeCustomize, "", rule, true},
	} {
		r := newImageRun(t, map[string]string{"etc/udev/rules.d/70-persistent-net.rules": c.rule})
		r.Plan.Mode = c.mode
		check(t, freeNames(r.Run, []netconf.Interface{{Name: "eth0", MAC: c.mac, IPv4: netconf.DHCP}}))
		got := r.content(t, "etc/udev/rules.d/70-persistent-net.rules")
		if strings.HasPrefix(got, "SUBSYSTEM") != c.active {
			t.Errorf("%s: %q, active %t wanted", title, got, c.active)
		}
	}
	r := newImageRun(t, map[string]string{"etc/udev/rules.d/70-persistent-net.rules": "FIFO"})
	wants(t, freeNames(r.Run, nil), "a FIFO")
}
