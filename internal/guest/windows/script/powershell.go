package script

import (
	"fmt"
	"net/netip"
	"strings"

	"snf-image/internal/guest/netconf"
)

// functions are what the PowerShell script is made of. An error of one NIC is in the log, and
// does not keep the next from being configured.
const functions = `# Made by snf-image; SetupComplete.cmd removes it.
function Find($number, $mac) {
    $found = Get-NetAdapter -Physical | Where-Object { $mac -eq '' -or $_.MacAddress -eq $mac } | Select-Object -First 1
    if (-not $found) { "$(Get-Date) no network adapter for NIC $number" }
    $script:nic = $found.ifIndex
}
function Address($family, $address, $length) {
    if (-not $script:nic) { return }
    Set-NetIPInterface -InterfaceIndex $script:nic -AddressFamily $family -Dhcp Disabled
    if ($family -eq 'IPv4') {
        Get-NetIPAddress -InterfaceIndex $script:nic -AddressFamily IPv4 -ErrorAction SilentlyContinue | Remove-NetIPAddress -Confirm:$false
    }
    New-NetIPAddress -InterfaceIndex $script:nic -IPAddress $address -PrefixLength $length | Out-Null
}
function Route($prefix, $gateway, $metric) {
    if (-not $script:nic) { return }
    Get-NetRoute -InterfaceIndex $script:nic -DestinationPrefix $prefix -ErrorAction SilentlyContinue | Remove-NetRoute -Confirm:$false
    New-NetRoute -InterfaceIndex $script:nic -DestinationPrefix $prefix -NextHop $gateway -RouteMetric $metric | Out-Null
}
function Resolver($servers) {
    if ($script:nic) { Set-DnsClientServerAddress -InterfaceIndex $script:nic -ServerAddresses $servers }
}
function Packet($bytes) {
    if ($script:nic) { Set-NetIPInterface -InterfaceIndex $script:nic -NlMtuBytes $bytes }
}
`

// forPowerShell is the PowerShell script.
func forPowerShell(interfaces []netconf.Interface, search []string) string {
	var b strings.Builder
	b.WriteString(functions)
	for _, i := range interfaces {
		if !i.Static() {
			continue
		}
		fmt.Fprintf(&b, "Find %d '%s'\n", i.Index, strings.ToUpper(strings.ReplaceAll(i.MAC, ":", "-")))
		if i.IPv4 == netconf.Static {
			addressOf(&b, "IPv4", i.Address4, i.Gateway4, i.OnLink4(), i.Metric4)
		}
		if i.IPv6 == netconf.Static {
			addressOf(&b, "IPv6", i.Address6, i.Gateway6, i.OnLink6(), i.Metric6)
		}
		if len(i.DNS) > 0 {
			var servers []string
			for _, s := range i.DNS {
				servers = append(servers, s.String())
			}
			fmt.Fprintf(&b, "Resolver %s\n", list(servers))
		}
		if i.MTU > 0 {
			fmt.Fprintf(&b, "Packet %d\n", i.MTU)
		}
	}
	if len(search) > 0 {
		fmt.Fprintf(&b, "Set-DnsClientGlobalSetting -SuffixSearchList %s\n", list(search))
	}
	return b.String()
}

// addressOf writes the calls for an address with its default route.
func addressOf(b *strings.Builder, family string, address netip.Prefix, gateway netip.Addr, onLink bool, metric int) {
	fmt.Fprintf(b, "Address '%s' '%s' %d\n", family, address.Addr(), address.Bits())
	if !gateway.IsValid() {
		return
	}
	all, none := "0.0.0.0/0", "0.0.0.0"
	if family == "IPv6" {
		all, none = "::/0", "::"
	}
	if onLink {
		fmt.Fprintf(b, "Route '%s/%d' '%s' %d\n", gateway, gateway.BitLen(), none, max(metric, 1))
	}
	fmt.Fprintf(b, "Route '%s' '%s' %d\n", all, gateway, max(metric, 1))
}

// list returns texts, addresses and domains that were checked, as a list of PowerShell.
func list(texts []string) string { return "@('" + strings.Join(texts, "','") + "')" }
