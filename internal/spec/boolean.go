package spec

import "strings"

// ParseBool reads a boolean property (docs/reference.md, Image properties): any word that is
// not one of the list means yes, and known is false for it.
func ParseBool(s string) (yes, known bool) {
	switch strings.ToLower(strings.TrimSpace(s)) {
	case "yes", "true", "1", "on", "set":
		return true, true
	case "", "no", "false", "0", "off", "unset":
		return false, true
	}
	return true, false
}

// Boolean returns the value of a boolean property.
func (s *Spec) Boolean(name string) bool {
	yes, _ := ParseBool(s.Properties[name])
	return yes
}

// UsesCloudInit reports whether the machine is configured by its cloud-init, through a seed,
// instead of by editing its files.
func (s *Spec) UsesCloudInit() bool { return s.Boolean(PropCloudInit) && !s.LeavesCloudInit() }

// LeavesCloudInit reports whether the image's cloud-init is left to run beside our own work.
func (s *Spec) LeavesCloudInit() bool {
	return strings.EqualFold(strings.TrimSpace(s.Properties[PropCloudInit]), LeaveCloudInit)
}
