package spec

import (
	"slices"
	"strings"
)

// setsLogin reports whether a password, a hash or keys are to be set.
func (s *Spec) setsLogin() bool {
	return s.Password != nil || s.PasswordHash != nil || len(s.AuthorizedKeys) > 0
}

// AssumesUsers reports whether credentials are set of users that nothing names.
func (s *Spec) AssumesUsers() bool { return s.setsLogin() && s.Properties[PropUsers] == "" }

// Users returns the users whose credentials are set, root when none are named.
func (s *Spec) Users() []string {
	var users []string
	for _, user := range strings.Fields(s.Properties[PropUsers]) {
		if !slices.Contains(users, user) {
			users = append(users, user)
		}
	}
	if len(users) == 0 {
		return []string{"root"}
	}
	return users
}

// HashMethod returns the method passwords are hashed with for a system of that
// family (docs/reference.md, PASSWD_HASHING_METHOD).
func (s *Spec) HashMethod(family string) string {
	if m := strings.ToLower(s.Properties[PropHashMethod]); m != "" {
		return m
	}
	switch family {
	case "openbsd":
		return "blowfish"
	case "netbsd":
		return "sha1"
	}
	return HashMethods()[0]
}
