package vm

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"snf-image/tests/harness"
	"snf-image/tests/machine"
)

// dynamicNICs are further NICs of the machines of TestNetworkStacks, which learn of their
// addresses: what the node is called on their link, what it offers there, and the addresses.
var dynamicNICs = []struct {
	link, mac, flags string
	node             []string
	offers           []string
	gets             []string
}{
	{
		"slaac", "52:54:00:00:00:03", "dhcp,gateway6=fe80::1",
		[]string{"10.10.0.1/24", "fd10::1/64"},
		[]string{"--dhcp-range=10.10.0.50,10.10.0.50,255.255.255.0,1h", "--dhcp-range=fd10::,ra-only"},
		[]string{"10.10.0.50/24", "fd10::5054:ff:fe00:3/64"},
	},
	{
		"stateless", "52:54:00:00:00:04", "gateway6=fe80::1,tags=stateless_dhcpv6",
		[]string{"fd11::1/64"},
		[]string{"--dhcp-range=fd11::,ra-stateless"},
		[]string{"fd11::5054:ff:fe00:4/64"},
	},
	{
		"stateful", "52:54:00:00:00:05", "gateway6=fe80::1,tags=dhcpv6",
		[]string{"fd12::1/64"},
		[]string{"--dhcp-range=fd12::77,fd12::77,64,1h"},
		[]string{"fd12::77"}, // of any length
	},
}

// dynamicFlags returns the options of deploy for dynamicNICs.
func dynamicFlags() []string {
	var args []string
	for _, nic := range dynamicNICs {
		args = append(args, "--nic", "mac="+nic.mac+","+nic.flags)
	}
	return args
}

// dynamicLinks adds the links of dynamicNICs to a network, and their router.
func dynamicLinks(t *testing.T, n *machine.Network) ([]machine.NIC, *machine.Server) {
	t.Helper()
	var nics []machine.NIC
	var links, offers []string
	for _, nic := range dynamicNICs {
		n.Link(t, nic.link, nic.node...)
		nics = append(nics, machine.NIC{MAC: nic.mac, Link: nic.link})
		links, offers = append(links, nic.link), append(offers, nic.offers...)
	}
	return nics, n.Serve(t, links, offers...)
}

// TestDhcpcd has Debian's dhcpcd learn by the file that Void's gets, of interfaces like
// dynamicNICs.
func TestDhcpcd(t *testing.T) {
	harness.Gate(t, "dhcpcd", "dnsmasq", "unshare", "nsenter", "ip")
	t.Parallel()
	n := machine.NewNetwork(t)
	var links, offers, all []string
	for i, nic := range dynamicNICs {
		n.Run(t, `ip link add "$1" type veth peer name "$2"; ip link set "$1" up; ip link set "$2" address "$3" up; echo 0 > "/proc/sys/net/ipv6/conf/$2/accept_ra"
name=$1; shift 3; for a; do ip address add "$a" dev "$name"; done`, append([]string{nic.link, fmt.Sprint("eth", i), nic.mac}, nic.node...)...)
		links, offers, all = append(links, nic.link), append(offers, nic.offers...), append(all, nic.gets...)
	}
	config := filepath.Join(t.TempDir(), "dhcpcd.conf")
	for _, f := range golden(t, "runit/dynamic.txtar") {
		// There is no udev in this network, and the hooks would change files of the node.
		if f.Name == "dhcpcd.conf" {
			if err := os.WriteFile(config, append([]byte("nodev\nscript /bin/true\n"), f.Data...), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	router := n.Serve(t, links, offers...)
	out := n.Run(t, `exec unshare --mount sh -ec 'mkdir -p /var/lib/dhcpcd; mount -t tmpfs run /run; mount -t tmpfs lib /var/lib/dhcpcd
mount -t sysfs sysfs /sys; dhcpcd -M -B -f "$1" >&2 & pid=$!; `+learned()+`
ip -o address show scope global | awk "\$2 ~ /^eth/ {print \$4}"; kill $pid; wait $pid || :' sh "$1"`, config)
	slices.Sort(all)
	got := strings.Fields(strings.ReplaceAll(out, "fd12::77/128", "fd12::77"))
	slices.Sort(got)
	if diff := cmp.Diff(all, got); diff != "" {
		t.Errorf("addresses (-want +got):\n%s\n%s", diff, router.Log())
	}
	checkAsked(t, router)
}

// learned waits inside of a machine, not for ever, until all addresses of dynamicNICs are there.
func learned() string {
	var all []string
	for _, nic := range dynamicNICs {
		all = append(all, nic.gets...)
	}
	return `for n in $(seq 80); do found=$(ip -o addr show scope global) missing=; for a in ` + strings.Join(all, " ") +
		`; do case $found in *" $a/"*|*" $a "*) ;; *) missing=y; esac; done; [ "$missing" ] || break; sleep 1; done`
}

// checkAsked holds against the NICs which of them have asked for what.
func checkAsked(t *testing.T, s *machine.Server) {
	t.Helper()
	log := s.Log()
	for words, want := range map[string]bool{
		"DHCPACK(slaac)": true, "DHCPINFORMATION-REQUEST(stateless)": true, "DHCPREPLY(stateful)": true,
		"DHCPREQUEST(stateless)": false, "DHCPSOLICIT(slaac)": false,
	} {
		if strings.Contains(log, words) != want {
			t.Errorf("the router saw %s: %t", words, !want)
		}
	}
	if t.Failed() {
		t.Log(log)
	}
}
