package values

import (
	"fmt"
	"strings"

	"snf-image/internal/host/problem"
)

// CheckHostname reports whether name is a valid host name: labels of letters, digits
// and hyphens as RFC 1123 section 2.1 has them, 63 characters each and 253 in
// all. A single label is fine.
func CheckHostname(name string) error {
	if name == "" || len(name) > 253 {
		return fmt.Errorf("%s: %w: expected 1 to 253 characters", problem.Quote(name), ErrHostname)
	}
	for label := range strings.SplitSeq(name, ".") {
		if err := checkLabel(label); err != "" {
			return fmt.Errorf("%s: %w: %s", problem.Quote(name), ErrHostname, err)
		}
	}
	return nil
}

func checkLabel(label string) string {
	switch {
	case label == "":
		return "empty label"
	case len(label) > 63:
		return "label of more than 63 characters"
	case strings.HasPrefix(label, "-") || strings.HasSuffix(label, "-"):
		return "label begins or ends with a hyphen"
	case strings.ContainsFunc(label, notHostnameChar):
		return "only letters, digits, hyphens and dots are allowed"
	}
	return ""
}

func notHostnameChar(r rune) bool {
	letter := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
	return !letter && (r < '0' || r > '9') && r != '-'
}
