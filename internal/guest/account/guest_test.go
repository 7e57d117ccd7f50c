package account

import (
	"strings"
	"testing"

	"snf-image/tests/guest"
)

var newGuest, check, wants = guest.On, guest.Check, guest.Wants

// line returns the line of a file that begins with a name.
func line(t *testing.T, g guest.Guest, p, name string) string {
	t.Helper()
	for line := range strings.Lines(g.Content(t, p)) {
		if strings.HasPrefix(line, name+":") {
			return strings.TrimSpace(line)
		}
	}
	return ""
}
