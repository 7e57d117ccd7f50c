package netconf

// Metrics of default routes, of which the lowest wins. IPv4 routes without one
// have 0. IPv6 routes without one, and those of router advertisements, have 1024.
const (
	preferred = 512
	further   = 1024 // plus the number of the NIC
)

// rankRoutes makes the default route of the first interface that gets one, in
// each family, the one that counts. Without metrics the second of two routes is
// refused, or takes the place of the first.
func rankRoutes(interfaces []Interface) {
	first4, first6 := true, true
	var own *Interface // whose IPv6 gateway comes first
	for n := range interfaces {
		i := &interfaces[n]
		if i.IPv4 == DHCP || i.Gateway4.IsValid() {
			if !first4 {
				i.Metric4 = further + i.Index
			}
			first4 = false
		}
		advertised := i.IPv6 != None && i.IPv6 != Static
		switch {
		case advertised && own != nil:
			own.Metric6 = preferred
		case i.Gateway6.IsValid() && first6:
			own = i
		case i.Gateway6.IsValid():
			i.Metric6 = further + i.Index
		}
		first6 = first6 && !advertised && !i.Gateway6.IsValid()
	}
}

// metricNM is Metric6 for NetworkManager, which prefers what it hears by advertisements to
// every route with a metric of ours: it gives 100 and more to each interface.
func (i Interface) metricNM() int {
	if i.Metric6 == 0 && i.advertised() {
		return further + i.Index
	}
	return i.Metric6
}
