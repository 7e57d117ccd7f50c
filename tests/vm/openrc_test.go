package vm

import (
	"math/rand/v2"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"snf-image/tests/harness"
)

// TestTortureOpenrc boots a system that is arranged as Alpine's of Debian's packages: busybox
// and OpenRC start it, and ifupdown-ng and dhcpcd its network.
func TestTortureOpenrc(t *testing.T) {
	harness.Gate(t, vendorNeeds...)
	endure(t, "openrc", 1, func(t *testing.T, _ int, _ *rand.Rand) {
		j := &job{t: t, dir: harness.Dir(t), image: built(t, "../images/openrc.sh")}
		j.disk = filepath.Join(j.dir, "web1.raw")
		identity, known := vendorSystem{}.deploy(t, j)
		m, router := start(t, j.disk)
		m.Login(t, password)
		const further = "cat /etc/network/interfaces /etc/dhcpcd.conf /etc/mactab; rc-status -a; ps | tail -n 30; dmesg | tail -n 30"
		checks := append(reached(), looks{
			{"rc-service networking status | grep -o started", "started"},
			{"cat /etc/mactab | wc -l", "6"},
			{"readlink /proc/1/exe", "/usr/bin/busybox"},
		}...)
		before := checks.run(t, m, further)
		logIn(t, m, identity, known)
		m.Send(t, "reboot")
		m.Login(t, password)
		if diff := cmp.Diff(before, checks.run(t, m, further)); diff != "" {
			t.Errorf("the second boot (-first +second):\n%s", diff)
		}
		checkAsked(t, router)
		m.Stop()
		j.done()
	})
}
