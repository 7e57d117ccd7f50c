package task

import (
	"testing"

	"snf-image/internal/spec"
)

// TestConfigureNetwork hands the NICs of the plan to the image's network system.
func TestConfigureNetwork(t *testing.T) {
	t.Parallel()
	const old, ours = "auto lo\n", "# This file was written by snf-image.\n\nauto lo\niface lo inet loopback\n\nauto eth0\niface eth0 inet static\n\taddress 10.0.0.2/24\n" +
		"\tdns-nameservers 10.0.0.53\n"
	static := []spec.NIC{{MAC: "aa:00:00:00:00:01", IP: "10.0.0.2", Subnet: "10.0.0.0/24"}}
	for title, c := range map[string]struct {
		nics []spec.NIC
		want string
		err  string
	}{
		"static":  {static, ours, ""},
		"left":    {[]spec.NIC{{}}, old, "the default NIC is empty"},
		"bad NIC": {[]spec.NIC{{IP: "x"}}, old, "NIC 0"},
	} {
		r := newImageRun(t, map[string]string{"etc/network/interfaces": old})
		r.Plan.NICs, r.Plan.DNS = c.nics, []string{"10.0.0.53"}
		wants(t, r.do(t, configureNetwork), c.err)
		if got := r.content(t, "etc/network/interfaces"); got != c.want {
			t.Errorf("%s: interfaces = %q, want %q", title, got, c.want)
		}
	}
}
