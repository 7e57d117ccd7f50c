package spec

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseSize(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]int64{
		"1": 1, "512M": 512 << 20, "10G": 10 << 30, "10g": 10 << 30, "10GiB": 10 << 30, "10GB": 10 << 30, "1k": 1024,
		"2T": 2 << 40, "7P": 7 << 50, "12B": 12, "9223372036854775807": maxSize,
	} {
		if got, err := ParseSize(in); got != want || err != nil {
			t.Errorf("ParseSize(%q) = %d, %v, want %d", in, got, err, want)
		}
	}
	for _, in := range []string{
		"", "G", "0", "0G", "-1", "+1", "1.5G", "1 G", "10X", "10GG", "10iB", "9223372036854775808", "8192P", "18446744073709551616", "99999999999999999P", "1e3", "0x10",
	} {
		if got, err := ParseSize(in); !errors.Is(err, ErrSize) {
			t.Errorf("ParseSize(%q) = %d, %v, want %v", in, got, err, ErrSize)
		}
	}
}

func FuzzParseSize(f *testing.F) {
	f.Add("10GiB")
	f.Fuzz(func(t *testing.T, in string) {
		if got, err := ParseSize(in); err == nil && got <= 0 {
			t.Errorf("ParseSize(%q) = %d", in, got)
		}
	})
}

func TestParseBool(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		in         string
		yes, known bool
	}{
		{"YES", true, true},
		{"true", true, true},
		{"1", true, true},
		{" on ", true, true},
		{"Set", true, true},
		{"", false, true},
		{"no", false, true},
		{"FALSE", false, true},
		{"0", false, true},
		{"off", false, true},
		{"unset", false, true},
		{"2", true, false},
		{"nope", true, false},
	} {
		if yes, known := ParseBool(tc.in); yes != tc.yes || known != tc.known {
			t.Errorf("ParseBool(%q) = %v, %v, want %v, %v", tc.in, yes, known, tc.yes, tc.known)
		}
	}
}

func TestCheckHostname(t *testing.T) {
	t.Parallel()
	label := strings.Repeat("a", 63)
	long := strings.Join([]string{label, label, label, strings.Repeat("a", 61)}, ".")
	for _, name := range []string{"web1", "web1.example.org", "3com.com", "A-B", label, long, "127"} {
		if err := CheckHostname(name); err != nil {
			t.Errorf("CheckHostname(%q) = %v", name, err)
		}
	}
	for _, name := range []string{"", ".", "a.", ".a", "a..b", "-a", "a-", "a_b", "a b", "ä", label + "a", long + "a", "a/b", "a\n"} {
		if err := CheckHostname(name); !errors.Is(err, ErrHostname) {
			t.Errorf("CheckHostname(%q) = %v, want %v", name, err, ErrHostname)
		}
	}
}

func TestParseSwap(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]Swap{
		"2:1024": {Partition: 2, MiB: 1024}, "128:1": {Partition: 128, MiB: 1}, "b": {Disk: 1}, "C": {Disk: 2},
	} {
		if got, err := ParseSwap(in, 3); err != nil || *got != want {
			t.Errorf("ParseSwap(%q) = %v, %v, want %v", in, got, err, want)
		}
	}
	for _, in := range []string{
		"", "a", "A", "d", "bc", "0:5", "129:5", "02:5", "2:05", "2:0", "2:", ":5", "2:5M", "2:-5", "2:16777217", "2:99999999999999999999", "é", "[", "2 :5",
	} {
		if got, err := ParseSwap(in, 3); !errors.Is(err, ErrSwap) {
			t.Errorf("ParseSwap(%q) = %v, %v, want %v", in, got, err, ErrSwap)
		}
	}
}

func FuzzParseSwap(f *testing.F) {
	f.Add("2:1024")
	f.Add("b")
	f.Fuzz(func(t *testing.T, in string) {
		s, err := ParseSwap(in, 3)
		if err != nil {
			return
		}
		whole := s.Disk > 0 && s.Disk < 3 && s.Partition == 0 && s.MiB == 0
		part := s.Disk == 0 && s.Partition >= 1 && s.Partition <= 128 && s.MiB > 0
		if !whole && !part {
			t.Errorf("ParseSwap(%q) = %+v", in, s)
		}
	})
}

func TestParseFileFlag(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]FileFlag{
		"motd:/etc/motd":                {"motd", File{Path: "/etc/motd", Mode: 0o440}},
		"a/b:/c:0644":                   {"a/b", File{Path: "/c", Mode: 0o644}},
		"a:/c:4755:www":                 {"a", File{Path: "/c", Mode: 0o4755, Owner: "www"}},
		"a:/c::www:adm":                 {"a", File{Path: "/c", Mode: 0o440, Owner: "www", Group: "adm"}},
		"-:/etc/ssl/private/k e y:0400": {"-", File{Path: "/etc/ssl/private/k e y", Mode: 0o400}},
	} {
		got, err := ParseFileFlag(in)
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("ParseFileFlag(%q) = %v, %v (-want +got):\n%s", in, got, err, diff)
		}
	}
	for _, in := range []string{"", "a", ":/b", "a:", "a:b", "a:/", "a:/b/", "a:/b/..", "a:/b:888", "a:/b:10000", "a:/b:rw", "a:/b:0644:r:g:x", "a:/b\n", "a:/b:0644:r\n"} {
		if got, err := ParseFileFlag(in); !errors.Is(err, ErrFileFlag) {
			t.Errorf("ParseFileFlag(%q) = %v, %v, want %v", in, got, err, ErrFileFlag)
		}
	}
}

func TestParseNIC(t *testing.T) {
	t.Parallel()
	in := "mac=aa:00:00:4e:5a:31,ip=192.0.2.5,subnet=192.0.2.0/24,gateway=192.0.2.1,subnet6=2001:db8::/64,gateway6=2001:db8::1," +
		"network=front,name=n0,mode=bridged,link=br0,bridge=br0,model=e1000,tags=dhcp  nfdhcpd"
	want := NIC{
		MAC: "aa:00:00:4e:5a:31", IP: "192.0.2.5", Subnet: "192.0.2.0/24", Gateway: "192.0.2.1", Subnet6: "2001:db8::/64",
		Gateway6: "2001:db8::1", Network: "front", Name: "n0", Mode: "bridged", Link: "br0", Bridge: "br0", FrontendType: "e1000",
		Tags: []string{"dhcp", "nfdhcpd"},
	}
	got, err := ParseNIC(in)
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("ParseNIC = %v (-want +got):\n%s", err, diff)
	}
	for in, want := range map[string]NIC{
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

func TestProblemFormat(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		want string
		p    Problem
	}{
		{"m", Problem{Message: "m"}},
		{"p.json:3:9: img_personality[2].owner: m; r", Problem{Origin: "p.json", Line: 3, Column: 9, Path: "img_personality[2].owner", Message: "m", Remedy: "r"}},
		{"--image: m", Problem{Origin: "--image", Message: "m"}},
		{"USERS: m", Problem{Path: "USERS", Message: "m"}},
	} {
		if got := tc.p.Error(); got != tc.want {
			t.Errorf("Error() = %q, want %q", got, tc.want)
		}
	}
	ps := Problems{{Severity: Warning, Message: "w"}, {Severity: Error, Message: "e", Rule: ErrSwap}}
	if got, want := ps.Error(), "warning: w\nerror: e"; got != want {
		t.Errorf("Problems.Error() = %q, want %q", got, want)
	}
	if !errors.Is(ps.Err(), ErrSwap) || ps[:1].Err() != nil || len(ps.Warnings()) != 1 {
		t.Errorf("Err() = %v, Warnings() = %v", ps.Err(), ps.Warnings())
	}
	if p, ok := errors.AsType[Problem](ps.Err()); !ok || p.Message != "e" {
		t.Errorf("AsType[Problem] = %v, %v", p, ok)
	}
}
