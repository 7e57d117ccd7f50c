package values

import (
	"errors"
	"strings"
	"testing"

	"snf-image/internal/spec"

	"github.com/google/go-cmp/cmp"
)

func TestParseNIC(t *testing.T) {
	t.Parallel()
	in := "mac=aa:00:00:4e:5a:31,ip=192.0.2.5,subnet=192.0.2.0/24,gateway=192.0.2.1,subnet6=2001:db8::/64,gateway6=2001:db8::1," +
		"network=front,name=n0,mode=bridged,link=br0,bridge=br0,model=e1000,tags=dhcp  nfdhcpd"
	want := spec.NIC{
		MAC: "aa:00:00:4e:5a:31", IP: "192.0.2.5", Subnet: "192.0.2.0/24", Gateway: "192.0.2.1", Subnet6: "2001:db8::/64",
		Gateway6: "2001:db8::1", Network: "front", Name: "n0", Mode: "bridged", Link: "br0", Bridge: "br0", FrontendType: "e1000",
		Tags: []string{"dhcp", "nfdhcpd"},
	}
	got, err := ParseNIC(in)
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("ParseNIC = %v (-want +got):\n%s", err, diff)
	}
	for in, want := range map[string]spec.NIC{
		"ip=192.0.2.5/24,gateway=192.0.2.1": {IP: "192.0.2.5", Subnet: "192.0.2.0/24", Gateway: "192.0.2.1"},
		"ip=2001:db8::5/64":                 {IP: "2001:db8::5", Subnet6: "2001:db8::/64"},
		"ip=192.0.2.5/24,ip6=2001:db8::5/64,gateway6=fe80::1": {
			IP: "192.0.2.5", Subnet: "192.0.2.0/24", IP6: "2001:db8::5", Subnet6: "2001:db8::/64", Gateway6: "fe80::1",
		},
		"ip6=2001:db8::5,subnet6=2001:db8::/48": {IP6: "2001:db8::5", Subnet6: "2001:db8::/48"},
		"ip=192.0.2.5/24,subnet=192.0.2.0/24":   {IP: "192.0.2.5", Subnet: "192.0.2.0/24"},
		"dhcp":                                  {DHCP: true},
		"dhcp=no,mac=aa:00:00:4e:5a:31":         {MAC: "aa:00:00:4e:5a:31"},
		"dhcp,ip6=2001:db8::5/64":               {DHCP: true, IP6: "2001:db8::5", Subnet6: "2001:db8::/64"},
		"dns=192.0.2.53 2001:db8::53,search=a.example b.example,mtu=9000": {
			DNS: []string{"192.0.2.53", "2001:db8::53"}, Search: []string{"a.example", "b.example"}, MTU: 9000,
		},
	} {
		got, err := ParseNIC(in)
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("ParseNIC(%q) = %v (-want +got):\n%s", in, err, diff)
		}
	}
	for _, ok := range []string{"", "ip=2001:db8::5,subnet6=2001:db8::/64", "gateway=192.0.2.1", "tags="} {
		if _, err := ParseNIC(ok); err != nil {
			t.Errorf("ParseNIC(%q) = %v", ok, err)
		}
	}
	for _, bad := range []string{
		"mac", "mac=1", "mac=00:11:22:33:44:55:66:77", "ip=1.2.3", "ip=dhcp", "ip=fe80::1%eth0", "subnet=192.0.2.0", "subnet=2001:db8::/64",
		"subnet6=192.0.2.0/24", "gateway=2001:db8::1", "gateway6=192.0.2.1", "gateway6=::ffff:192.0.2.1", "speed=1", "mac=,mac=", ",",
		"ip=198.51.100.1,subnet=192.0.2.0/24", "ip=2001:db8:1::1,subnet6=2001:db8::/64", "network=a\nb", "tags=a\x1b",
		"ip=192.0.2.5/33", "ip=192.0.2.5/24,subnet=192.0.2.0/25", "ip6=192.0.2.5/24", "ip6=2001:db8::5", "ip=2001:db8::5/64,ip6=2001:db8::6/64",
		"dhcp,ip=192.0.2.5/24", "dhcp=perhaps", "dhcp,dhcp", "dns=ns.example", "search=a_b", "mtu=67", "mtu=65536", "mtu=+1500", "mtu=",
		"mtu=1000,ip6=2001:db8::5/64", "ip6=2001:db8:1::1,subnet6=2001:db8::/64", "none",
	} {
		if got, err := ParseNIC(bad); !errors.Is(err, ErrNIC) {
			t.Errorf("ParseNIC(%q) = %+v, %v, want %v", bad, got, err, ErrNIC)
		}
	}
}

func TestParseNICHints(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"gatway=192.0.2.1": `unknown name "gatway"; did you mean gateway?`,
		"speed=1":          "known are mac, ip, ip6, dhcp,",
		"ip6=2001:db8::5":  "has no prefix length; write ip6=2001:db8::5/64",
	} {
		if _, err := ParseNIC(in); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("ParseNIC(%q) = %v, want %q in it", in, err, want)
		}
	}
}

func FuzzParseNIC(f *testing.F) {
	f.Add("mac=aa:00:00:4e:5a:31,ip=192.0.2.5,subnet=192.0.2.0/24,tags=a b")
	f.Fuzz(func(t *testing.T, in string) {
		if nic, err := ParseNIC(in); err == nil && CheckNIC(nic) != nil {
			t.Errorf("ParseNIC(%q) accepted what CheckNIC refuses", in)
		}
	})
}
