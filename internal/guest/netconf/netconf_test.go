package netconf

import (
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"snf-image/internal/spec"
	"snf-image/tests/golden"
)

// tags are the defaults of the configuration.
var tags = Tags{
	DHCP:      []string{"auto", "dhcp", "nfdhcpd"},
	Stateful:  []string{"dhcpv6", "stateful_dhcpv6"},
	Stateless: []string{"nfdhcpd", "stateless_dhcpv6"},
}

// scenario is the file "nics" of a case.
type scenario struct {
	Default string     `json:"default"`
	Version string     `json:"version"`
	Kernel  bool       `json:"kernel_names"`
	Dhcpcd  bool       `json:"dhcpcd"`
	Sources []string   `json:"sources"`
	NICs    []spec.NIC `json:"nics"`
	Common  Common     `json:"common"`
}

// cases runs f on the input of every case in dir and compares with its file "want" or, if f
// fails, "error".
func cases(t *testing.T, dir string, f func(t *testing.T, in []byte) ([]byte, error)) {
	t.Helper()
	golden.Cases(t, filepath.Join("testdata", dir, "*.txtar"), func(t *testing.T, _, in string) []txtar.File {
		return golden.Result(f(t, []byte(in)))
	})
}

// plan returns the interfaces of a scenario.
func (s *scenario) plan(t *testing.T, in []byte) ([]Interface, error) {
	t.Helper()
	if err := json.Unmarshal(in, s); err != nil {
		t.Fatal(err)
	}
	interfaces, err := Plan(s.NICs, tags, s.Default)
	if err != nil {
		return nil, err
	}
	return interfaces, Supply(interfaces, s.Common)
}

func TestIfupdown(t *testing.T) {
	t.Parallel()
	cases(t, "ifupdown", func(t *testing.T, in []byte) ([]byte, error) {
		s := scenario{Version: "0.8.41"}
		interfaces, err := s.plan(t, in)
		if err != nil {
			return nil, err
		}
		return Ifupdown{Version: s.Version, KernelNames: s.Kernel, Sources: s.Sources, Dhcpcd: s.Dhcpcd}.Render(interfaces), nil
	})
}

func TestNetplan(t *testing.T) {
	t.Parallel()
	golden.Cases(t, "testdata/netplan/*.txtar", func(t *testing.T, _, in string) []txtar.File {
		interfaces, err := (&scenario{}).plan(t, []byte(in))
		if err != nil {
			t.Fatal(err)
		}
		return []txtar.File{
			{Name: ByNetworkd, Data: Netplan(interfaces, ByNetworkd)},
			{Name: ByNetworkManager, Data: Netplan(interfaces, ByNetworkManager)},
		}
	})
}

func TestNetworkd(t *testing.T) {
	t.Parallel()
	eachInterface(t, "networkd", Networkd)
}

func TestKeyfile(t *testing.T) {
	t.Parallel()
	eachInterface(t, "keyfile", Keyfile)
}

func TestIfcfg(t *testing.T) {
	t.Parallel()
	eachFile(t, "ifcfg", func(interfaces []Interface) []File {
		var files []File
		for _, i := range configured(interfaces) {
			for reader, byNM := range map[string]bool{"initscripts": false, "NetworkManager": true} {
				for _, f := range Ifcfg(i, byNM) {
					files = append(files, File{reader + "/" + f.Name, f.Data})
				}
			}
		}
		return files
	})
}

func TestWicked(t *testing.T) {
	t.Parallel()
	eachFile(t, "wicked", func(interfaces []Interface) []File {
		var files []File
		for _, i := range configured(interfaces) {
			files = append(files, Wicked(i)...)
		}
		set := func(data []byte, name, value string) []byte {
			return append(data, name+"=\""+value+"\"\n"...)
		}
		if data := WickedResolver(nil, interfaces, set); len(data) > 0 {
			files = append(files, File{"config", data})
		}
		return files
	})
}

func TestNetctl(t *testing.T) {
	t.Parallel()
	eachFile(t, "netctl", func(interfaces []Interface) []File {
		var files []File
		for _, i := range configured(interfaces) {
			files = append(files, File{i.Name, Netctl(i)})
		}
		return files
	})
}

func TestNetifrc(t *testing.T) {
	t.Parallel()
	eachFile(t, "netifrc", func(interfaces []Interface) []File { return []File{{"net", Netifrc(interfaces)}} })
}

// shippedDhcpcd is like the file that dhcpcd comes with, and what an administrator added.
const shippedDhcpcd = `# A sample configuration for dhcpcd.
controlgroup wheel
duid
denyinterfaces veth*
option domain_name_servers, domain_name, domain_search
slaac private

interface eth0
static ip_address=192.0.2.9/24
static routers=192.0.2.1
ssid home
metric 3
interface wlan0
noipv6`

func TestRunit(t *testing.T) {
	t.Parallel()
	eachFile(t, "runit", func(interfaces []Interface) []File {
		once := Dhcpcd([]byte(shippedDhcpcd), interfaces, true)
		if again := Dhcpcd(once, interfaces, true); string(again) != string(once) {
			t.Errorf("a second time:\n%s\nthe first:\n%s", again, once)
		}
		return []File{{"network.sh", Commands(interfaces, true)}, {"dhcpcd.conf", once}}
	})
}

func TestRcInet1(t *testing.T) {
	t.Parallel()
	eachFile(t, "rcinet1", func(interfaces []Interface) []File {
		config, commands := RcInet1(interfaces)
		once := SetBlock([]byte("#!/bin/bash\necho there\n"), commands)
		if again := SetBlock(once, commands); string(again) != string(once) {
			t.Errorf("a second time:\n%s\nthe first:\n%s", again, once)
		}
		return []File{{"rc.inet1.conf", config}, {"rc.local", once}}
	})
}

func TestIfupdown2(t *testing.T) {
	t.Parallel()
	eachFile(t, "ifupdown2", func(interfaces []Interface) []File {
		return []File{{"interfaces", Ifupdown2(interfaces, []string{"source /etc/network/interfaces.d/*"})}}
	})
}

func TestIfupdownNG(t *testing.T) {
	t.Parallel()
	eachFile(t, "ifupdown-ng", func(interfaces []Interface) []File {
		const client = "udhcpc6 -b -R -i $IFACE"
		return []File{
			{"ifupdown-ng", IfupdownNG{DHCP6: client}.Render(interfaces)},
			{"dhcpcd", IfupdownNG{DHCP6: "dhcpcd -b $IFACE", Dhcpcd: true}.Render(interfaces)},
			{"dhcpcd.conf", Dhcpcd([]byte("duid\n"), interfaces, false)},
			{"busybox", IfupdownNG{Busybox: true, DHCP6: client}.Render(interfaces)},
		}
	})
}

func configured(interfaces []Interface) []Interface {
	return slices.DeleteFunc(slices.Clone(interfaces), func(i Interface) bool { return !i.Configured() })
}

// eachFile compares the files that render makes of all interfaces.
func eachFile(t *testing.T, dir string, render func(interfaces []Interface) []File) {
	t.Helper()
	golden.Cases(t, filepath.Join("testdata", dir, "*.txtar"), func(t *testing.T, _, in string) []txtar.File {
		interfaces, err := (&scenario{}).plan(t, []byte(in))
		if err != nil {
			t.Fatal(err)
		}
		var files []txtar.File
		for _, f := range render(interfaces) {
			files = append(files, txtar.File{Name: f.Name, Data: f.Data})
		}
		slices.SortFunc(files, func(a, b txtar.File) int { return strings.Compare(a.Name, b.Name) })
		return files
	})
}

// eachInterface compares the files that render makes, one for each interface.
func eachInterface(t *testing.T, dir string, render func(i Interface, alone bool) []byte) {
	t.Helper()
	golden.Cases(t, filepath.Join("testdata", dir, "*.txtar"), func(t *testing.T, _, in string) []txtar.File {
		interfaces, err := (&scenario{}).plan(t, []byte(in))
		if err != nil {
			t.Fatal(err)
		}
		var files []txtar.File
		for _, i := range interfaces {
			files = append(files, txtar.File{Name: fmt.Sprintf("nic%d", i.Index), Data: render(i, len(interfaces) == 1)})
		}
		return files
	})
}

func TestDisableEthernet(t *testing.T) {
	t.Parallel()
	cases(t, "disable", func(t *testing.T, in []byte) ([]byte, error) {
		out, names := DisableEthernet(in)
		again, more := DisableEthernet(out)
		if string(again) != string(out) || len(more) > 0 {
			t.Errorf("second time: %v\n%s", more, again)
		}
		return append(out, "=> "+strings.Join(names, " ")+"\n"...), nil
	})
}

func TestPlanDefaultNIC(t *testing.T) {
	t.Parallel()
	type methods struct{ IPv4, IPv6 Method }
	for config, want := range map[string]methods{
		"dhcp": {DHCP, None}, "dhcpv6": {None, DHCP}, "slaac": {None, SLAAC}, "slaac_dhcp": {None, SLAACDHCP},
		"dhcp+dhcpv6": {DHCP, DHCP}, "dhcp+slaac": {DHCP, SLAAC}, "dhcp+slaac_dhcp": {DHCP, SLAACDHCP},
	} {
		got, err := Plan([]spec.NIC{{}}, tags, config)
		if err != nil || (methods{got[0].IPv4, got[0].IPv6}) != want {
			t.Errorf("Plan(%q) = %+v, %v, want %+v", config, got, err, want)
		}
	}
	for _, config := range []string{"static", "dhcp+", "+slaac", "slaac+dhcp", "dhcp+slaac+dhcpv6", "DHCP", " "} {
		if got, err := Plan([]spec.NIC{{}}, tags, config); err == nil {
			t.Errorf("Plan(%q) = %+v, want an error", config, got)
		}
	}
	if _, err := Plan([]spec.NIC{{}}, tags, ""); !errors.Is(err, ErrLeave) {
		t.Errorf("Plan(empty) = %v, want %v", err, ErrLeave)
	}
	// An addressed NIC and one of several do not take the default.
	for _, nics := range [][]spec.NIC{{}, {{IP: "10.0.0.1"}}, {{Gateway6: "fe80::1"}}, {{}, {}}} {
		if _, err := Plan(nics, tags, "nonsense"); err != nil {
			t.Errorf("Plan(%+v) = %v", nics, err)
		}
	}
}

func TestVersionRenames(t *testing.T) {
	t.Parallel()
	for version, want := range map[string]bool{
		"": false, "0.8.41": true, "0.8.23": true, "0.8.22": false, "0.8.19": false, "0.7.53.1": false, "0.8": false,
		"0.9": true, "1.0": true, "0.8.35+deb10u1": true, "0.8.35ubuntu1": true, "2:0.8.41": true, "3.0.0-1.1": true,
		"abc": false, "0.8.x": false, "0.8.999999999999999999999": false,
	} {
		if got := (Ifupdown{Version: version}).MatchesByMAC(); got != want {
			t.Errorf("version %q: MatchesByMAC = %v, want %v", version, got, want)
		}
	}
}

func TestSources(t *testing.T) {
	t.Parallel()
	in := "# source x\nsource /etc/network/interfaces.d/*\n  source-directory\tinterfaces.d\nauto lo\nsource \\\n  a/b\nsource $HOME/x\n"
	want := []string{"source /etc/network/interfaces.d/*", "source-directory interfaces.d", "source a/b", "source $HOME/x"}
	got := Sources([]byte(in))
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("Sources (-want +got):\n%s", diff)
	}
	type pattern struct {
		Path          string
		Directory, OK bool
	}
	wantPatterns := []pattern{
		{"/etc/network/interfaces.d/*", false, true},
		{"/etc/network/interfaces.d", true, true},
		{"/etc/network/a/b", false, true},
		{"", false, false},
	}
	for n, line := range got {
		p, directory, ok := SourcePattern(line, "/etc/network")
		if diff := cmp.Diff(wantPatterns[n], pattern{p, directory, ok}); diff != "" {
			t.Errorf("SourcePattern(%q) (-want +got):\n%s", line, diff)
		}
	}
}

func FuzzInterfaces(f *testing.F) {
	f.Add([]byte("auto lo eth0\niface eth0 inet static\n\taddress 1.2.3.4\n# c \\\niface br0 inet dhcp\n"))
	f.Add([]byte("auto \\\n eth0\\\n\niface\nmapping *\n\tscript x\\"))
	f.Fuzz(func(t *testing.T, data []byte) {
		var raw strings.Builder
		for _, l := range logicalLines(data) {
			raw.WriteString(l.raw)
		}
		if raw.String() != string(data) {
			t.Fatalf("lines of %q make %q", data, raw.String())
		}
		out, names := DisableEthernet(data)
		if len(names) == 0 && string(out) != string(data) {
			t.Fatalf("nothing found, yet %q became %q", data, out)
		}
		if again, more := DisableEthernet(out); len(more) > 0 || string(again) != string(out) {
			t.Fatalf("%q became %q, then %q with %q", data, out, again, more)
		}
		Sources(data)
	})
}

func FuzzPlan(f *testing.F) {
	f.Add("aa:00:00:01:02:03", "10.0.0.5", "10.0.0.0/24", "10.0.0.1", "fd00::/64", "fe80::1", "auto", "dhcp")
	f.Fuzz(func(t *testing.T, mac, ip, subnet, gw, subnet6, gw6, tag, def string) {
		nic := spec.NIC{MAC: mac, IP: ip, Subnet: subnet, Gateway: gw, Subnet6: subnet6, Gateway6: gw6, Tags: []string{tag}}
		interfaces, err := Plan([]spec.NIC{nic}, tags, def)
		if err != nil {
			return
		}
		alone := interfaces[0]
		for name, text := range map[string][]byte{
			"ifupdown": Ifupdown{Version: "0.8.41"}.Render(interfaces), "networkd": Networkd(alone, true), "keyfile": Keyfile(alone, true),
			"netplan": Netplan(interfaces, ByNetworkd), "netplan for NetworkManager": Netplan(interfaces, ByNetworkManager),
		} {
			for line := range strings.Lines(string(text)) {
				if strings.Trim(line, "\n\tabcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 :./=#-[]*\"") != "" {
					t.Fatalf("%s: line %q", name, line)
				}
			}
		}
	})
}

// TestNetworkConfig has cloud-init's form of what is netplan's otherwise.
func TestNetworkConfig(t *testing.T) {
	t.Parallel()
	interfaces, err := Plan([]spec.NIC{
		{MAC: "52:54:00:00:00:01", IP: "192.0.2.2", Subnet: "192.0.2.0/24", Gateway: "192.0.2.1"}, {MAC: "52:54:00:00:00:02", DHCP: true},
	}, Tags{}, "")
	if err != nil {
		t.Fatal(err)
	}
	_, want, _ := strings.Cut(string(Netplan(interfaces, ByNetworkd)), "network:\n  ")
	want = Header + strings.ReplaceAll(want, "\n  ", "\n")
	if got := string(NetworkConfig(interfaces)); got != want || !strings.Contains(want, "\nversion: 2\nrenderer: networkd\nethernets:\n  nic0:\n") {
		t.Errorf("NetworkConfig = %s, want %s", got, want)
	}
}
