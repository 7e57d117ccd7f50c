package netconf

import (
	"regexp"
	"strings"
)

var (
	ruleAddress = regexp.MustCompile(`(?i)(?:ATTR|SYSFS)\{address\}\s*==\s*"([^"]*)"`)
	ruleName    = regexp.MustCompile(`(?:^|[\s,])NAME\s*:?=\s*"([^"]*)"`)
)

// DisableStaleNames comments out the udev rules that give a name to an interface by
// its MAC address, unless names has that name for that address. Other rules stay.
// It returns the names that are free then. The generator of these rules never gives
// away a name a second time, so the NIC of a copied image was eth1.
func DisableStaleNames(rules []byte, names map[string]string) (out []byte, free []string) {
	var b strings.Builder
	for _, l := range logicalLines(rules) {
		address, name := ruleAddress.FindStringSubmatch(l.text), ruleName.FindStringSubmatch(l.text)
		if address == nil || name == nil || names[strings.ToLower(address[1])] == name[1] {
			b.WriteString(l.raw)
			continue
		}
		free = append(free, name[1])
		b.WriteString(comment(l.raw))
	}
	return []byte(b.String()), free
}
