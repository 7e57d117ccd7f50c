package script

import (
	"net/netip"
	"strings"
	"testing"

	"snf-image/internal/guest/netconf"
	"snf-image/tests/wine"
)

// interfaces are one NIC with everything, one with a gateway outside of its subnet, one by DHCP.
func interfaces() []netconf.Interface {
	addr, prefix := netip.MustParseAddr, netip.MustParsePrefix
	return []netconf.Interface{
		{
			Index: 0, MAC: "52:54:00:aa:bb:cc", IPv4: netconf.Static, Address4: prefix("192.0.2.10/24"), Gateway4: addr("192.0.2.1"),
			IPv6: netconf.Static, Address6: prefix("2001:db8::10/64"), Gateway6: addr("fe80::1"),
			DNS: []netip.Addr{addr("192.0.2.53"), addr("2001:db8::53"), addr("192.0.2.54")}, Search: []string{"example.org", "example.net"}, MTU: 1400,
		},
		{Index: 1, MAC: "52:54:00:aa:bb:cd", IPv4: netconf.Static, Address4: prefix("198.51.100.7/32"), Gateway4: addr("198.51.100.1"), Metric4: 100},
		{Index: 2, MAC: "52:54:00:aa:bb:ce", IPv4: netconf.DHCP},
	}
}

// testOthers runs the scripts that hold no secrets.
func testOthers(t *testing.T, w *wine.Windows) {
	batch, none := ConfigureNetwork(interfaces(), false)
	if none != nil {
		t.Errorf("a second script: %s", none)
	}
	modern, powershell := ConfigureNetwork(interfaces(), true)
	w.Write("windows/SnfScripts/ConfigureNetwork.ps1", powershell)
	w.Write("windows/SnfScripts/ConfigureNetwork.cmd", modern)
	w.Write("work/old.cmd", batch)
	w.Write("work/remote.cmd", RestoreRemoteDesktop(0, false))
	w.Write("work/extend", ExtendFilesystem(3))
	w.Write("work/all.cmd", []byte("@call C:\\work\\old.cmd\r\n@call C:\\windows\\SnfScripts\\ConfigureNetwork.cmd\r\n@call C:\\work\\remote.cmd\r\n@diskpart.exe /s C:\\work\\extend\r\n"))
	printed := w.Run(`C:\work\all.cmd`)
	var got []string
	for _, c := range w.Calls() {
		got = append(got, c.Program+" "+strings.Join(c.Arguments, " "))
		if c.Program == "powershell" && c.Text != string(powershell) {
			t.Errorf("PowerShell got %q", c.Text)
		}
		if c.Program == "diskpart" && c.Text != "select disk 0\r\nselect partition 3\r\nextend filesystem\r\nexit\r\n" {
			t.Errorf("diskpart got %q", c.Text)
		}
	}
	want := `wmic nic where MACAddress='52:54:00:AA:BB:CC' and PhysicalAdapter=TRUE get InterfaceIndex /value
netsh interface ipv4 set address name=7 source=static address=192.0.2.10 mask=255.255.255.0
netsh interface ipv4 add route prefix=0.0.0.0/0 interface=7 nexthop=192.0.2.1 metric=1 store=persistent
netsh interface ipv6 add address interface=7 address=2001:db8::10/64 store=persistent
netsh interface ipv6 add route prefix=::/0 interface=7 nexthop=fe80::1 metric=1 store=persistent
netsh interface ipv4 set dnsservers name=7 source=static address=192.0.2.53 validate=no
netsh interface ipv6 set dnsservers name=7 source=static address=2001:db8::53 validate=no
netsh interface ipv4 add dnsservers name=7 address=192.0.2.54 validate=no
netsh interface ipv4 set subinterface 7 mtu=1400 store=persistent
netsh interface ipv6 set subinterface 7 mtu=1400 store=persistent
wmic nic where MACAddress='52:54:00:AA:BB:CD' and PhysicalAdapter=TRUE get InterfaceIndex /value
netsh interface ipv4 set address name=7 source=static address=198.51.100.7 mask=255.255.255.255
netsh interface ipv4 add route prefix=198.51.100.1/32 interface=7 store=persistent
netsh interface ipv4 add route prefix=0.0.0.0/0 interface=7 nexthop=198.51.100.1 metric=100 store=persistent
reg add HKLM\SYSTEM\CurrentControlSet\Services\Tcpip\Parameters /v SearchList /t REG_SZ /d example.org,example.net /f
powershell -NoProfile -NonInteractive -ExecutionPolicy Bypass -File C:\windows\SnfScripts\ConfigureNetwork.ps1
reg delete HKLM\SYSTEM\CurrentControlSet\Control\Terminal Server /v fDenyTSConnections /f
diskpart /s C:\work\extend`
	if text := strings.Join(got, "\n"); text != want {
		t.Errorf("started:\n%s\n\nwant:\n%s\n\n%s", text, want, printed)
	}
}
