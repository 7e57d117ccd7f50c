// Package timezone knows the names that Windows has for time zones.
package timezone

import (
	"fmt"
	"strings"
)

// zone is a time zone, with the number that the set-up of Windows XP and Server 2003 has for
// it (Microsoft Time Zone Index Values), -1 for one that is younger.
type zone struct {
	name  string
	index int
}

// Lookup returns the name of a time zone as Windows writes it; text may have any case.
func Lookup(text string) (string, error) {
	z, err := find(text)
	return z.name, err
}

// Index returns the three digits that the set-up of Windows XP and Server 2003 has for a time
// zone.
func Index(text string) (string, error) {
	z, err := find(text)
	if err == nil && z.index < 0 {
		err = fmt.Errorf("Windows XP and Server 2003 do not have the time zone %q", z.name)
	}
	return fmt.Sprintf("%03d", z.index), err
}

func find(text string) (zone, error) {
	text = strings.TrimSpace(text)
	for _, z := range zones() {
		if strings.EqualFold(z.name, text) {
			return z, nil
		}
	}
	return zone{}, fmt.Errorf("%.60q is not a time zone of Windows, such as %q", text, "GMT Standard Time")
}
