package netconf

import (
	"slices"
	"strings"
)

// DisableVariables comments out the assignments to variables of a file that a shell reads.
func DisableVariables(data []byte, names ...string) []byte {
	var b strings.Builder
	for line := range strings.Lines(string(data)) {
		name, _, ok := strings.Cut(strings.TrimSpace(line), "=")
		name = strings.TrimPrefix(name, "export ")
		if ok && slices.Contains(names, name) {
			line = comment(line)
		}
		b.WriteString(line)
	}
	return []byte(b.String())
}

// DisableRoutes comments out what a file of routes(5) of SUSE has of default routes and of
// Ethernet interfaces.
func DisableRoutes(data []byte) []byte {
	var b strings.Builder
	for line := range strings.Lines(string(data)) {
		columns := strings.Fields(line)
		if len(columns) > 1 && columns[0][0] != '#' {
			standard := slices.Contains([]string{"default", "0.0.0.0/0", "::/0", "0.0.0.0"}, columns[0])
			if standard || len(columns) > 3 && IsEthernet(columns[3]) {
				line = comment(line)
			}
		}
		b.WriteString(line)
	}
	return []byte(b.String())
}
