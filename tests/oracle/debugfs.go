package oracle

import (
	"fmt"
	"regexp"
	"testing"
)

// Debugfs returns what debugfs answers to a request about the ext file system in
// partition n of disk, without mounting it.
func Debugfs(t testing.TB, disk string, n int, request string) string {
	t.Helper()
	_, parts := ReadTable(t, disk)
	var out string
	withLoop(t, disk, parts[n], func(dev string) { out = tool(t, "debugfs", "-R", request, dev) })
	return out
}

var statLines = regexp.MustCompile(`(?s)Type: (\w+)\s+Mode:\s+(\d+).*?User:\s*(\d+)\s+Group:\s*(\d+)`)

// Stat says type, mode, owner and group of a file, as debugfs does, "" when
// there is none.
func Stat(t testing.TB, disk string, n int, name string) string {
	t.Helper()
	m := statLines.FindStringSubmatch(Debugfs(t, disk, n, "stat \""+name+"\""))
	if m == nil {
		return ""
	}
	return fmt.Sprintf("%s %s %s:%s", m[1], m[2], m[3], m[4])
}
