package script

import (
	"fmt"
	"net"
	"net/netip"
	"strings"

	"snf-image/internal/guest/netconf"
)

// ConfigureNetwork returns the script that configures the interfaces with a static address,
// each by its MAC address. The others are left to Windows, which asks by DHCP and listens
// to routers. modern is for NT 6.2 and later, where it is PowerShell that does it, by the
// second script; before it is netsh, and there is none.
func ConfigureNetwork(interfaces []netconf.Interface, modern bool) (batch, powershell []byte) {
	_, search := netconf.Resolver(interfaces)
	if modern {
		batch := head + "<nul >>" + logVariable + " 2>&1 " + shell + ` -File "%~dp0ConfigureNetwork.ps1"` + "\nexit /b 0\n"
		return windows(batch), windows(forPowerShell(interfaces, search))
	}
	return windows(forNetsh(interfaces, search)), nil
}

// forNetsh is the batch file. wmic tells the number of the interface, with a carriage
// return that the second loop drops.
func forNetsh(interfaces []netconf.Interface, search []string) string {
	var b strings.Builder
	b.WriteString(head + `set "NETSH=%SystemRoot%\System32\netsh.exe"` + "\n")
	for _, i := range interfaces {
		if !i.Static() {
			continue
		}
		which := "AdapterTypeID=0"
		if i.MAC != "" {
			which = "MACAddress='" + strings.ToUpper(i.MAC) + "'"
		}
		fmt.Fprintf(&b, "set SNF_NIC=\nfor /f \"tokens=2 delims==\" %%%%I in ('wmic nic where \"%s and PhysicalAdapter=TRUE\" get InterfaceIndex /value') do for /f %%%%J in (\"%%%%I\") do set \"SNF_NIC=%%%%J\"\n", which)
		fmt.Fprintf(&b, "if not defined SNF_NIC >>%s echo %%DATE%% %%TIME%% no network adapter for NIC %d\n", logVariable, i.Index)
		for _, args := range netshOf(i) {
			fmt.Fprintf(&b, "if defined SNF_NIC <nul >>%s 2>&1 \"%%NETSH%%\" interface %s\n", logVariable, args)
		}
	}
	if len(search) > 0 {
		fmt.Fprintf(&b, "\"%%SystemRoot%%\\System32\\reg.exe\" add HKLM\\SYSTEM\\CurrentControlSet\\Services\\Tcpip\\Parameters /v SearchList /t REG_SZ /d \"%s\" /f >nul 2>&1\n", strings.Join(search, ","))
	}
	return b.String() + "exit /b 0\n"
}

// netshOf returns the arguments of netsh interface for an interface.
func netshOf(i netconf.Interface) []string {
	const nic = "%SNF_NIC%"
	var out []string
	add := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	if i.IPv4 == netconf.Static {
		mask := net.IP(net.CIDRMask(i.Address4.Bits(), 32)).String()
		add("ipv4 set address name=%s source=static address=%s mask=%s", nic, i.Address4.Addr(), mask)
		route(add, "ipv4", "0.0.0.0/0", i.Gateway4, i.OnLink4(), i.Metric4)
	}
	if i.IPv6 == netconf.Static {
		add("ipv6 add address interface=%s address=%s store=persistent", nic, i.Address6)
		route(add, "ipv6", "::/0", i.Gateway6, i.OnLink6(), i.Metric6)
	}
	for n, server := range i.DNS {
		family := map[bool]string{true: "ipv4", false: "ipv6"}[server.Is4()]
		if first := firstOf(i.DNS, server.Is4()) == n; first {
			add("%s set dnsservers name=%s source=static address=%s validate=no", family, nic, server)
		} else {
			add("%s add dnsservers name=%s address=%s validate=no", family, nic, server)
		}
	}
	if i.MTU > 0 {
		add("ipv4 set subinterface %s mtu=%d store=persistent", nic, i.MTU)
		add("ipv6 set subinterface %s mtu=%d store=persistent", nic, i.MTU)
	}
	return out
}

// route adds the default route; that to a gateway outside of the subnet comes before it.
func route(add func(string, ...any), family, all string, gateway netip.Addr, onLink bool, metric int) {
	if !gateway.IsValid() {
		return
	}
	if onLink {
		add("%s add route prefix=%s/%d interface=%%SNF_NIC%% store=persistent", family, gateway, gateway.BitLen())
	}
	add("%s add route prefix=%s interface=%%SNF_NIC%% nexthop=%s metric=%d store=persistent", family, all, gateway, max(metric, 1))
}

// firstOf returns the place of the first server of a family.
func firstOf(servers []netip.Addr, is4 bool) int {
	for n, s := range servers {
		if s.Is4() == is4 {
			return n
		}
	}
	return -1
}
