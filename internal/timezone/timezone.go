// Package timezone knows the names that Windows has for time zones.
package timezone

import (
	"fmt"
	"strings"
)

// Lookup returns the name of a time zone as Windows writes it; text may have any case.
func Lookup(text string) (string, error) {
	name, _, err := find(text)
	return name, err
}

// Index returns the three digits that the set-up of Windows XP and Server 2003 has for a time
// zone (Microsoft Time Zone Index Values).
func Index(text string) (string, error) {
	name, index, err := find(text)
	if err == nil && index == "" {
		err = fmt.Errorf("the time zone %q is not one of Windows XP and Server 2003", name)
	}
	return index, err
}

func find(text string) (name, index string, err error) {
	text = strings.TrimSpace(text)
	for line := range strings.Lines(names) {
		name, index, _ := strings.Cut(strings.TrimSpace(line), "=")
		if name != "" && strings.EqualFold(name, text) {
			return name, index, nil
		}
	}
	return "", "", fmt.Errorf("%.60q is not a time zone of Windows, such as %q", text, "GMT Standard Time")
}
