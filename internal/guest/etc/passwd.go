package etc

import (
	"fmt"
	"strconv"
	"strings"
)

// User is an entry of passwd(5).
type User struct {
	Name     string
	Password string // "x" when it is in /etc/shadow
	UID, GID int
	Home     string
	Shell    string
}

// Group is an entry of group(5).
type Group struct {
	Name    string
	GID     int
	Members []string // besides those whose group it is by passwd(5)
}

// ParsePasswd returns the entries of a passwd file in order. Lines that are no
// entry, NIS markers and numbers chown(2) does not take are left out, as the C
// library does.
func ParsePasswd(data []byte) []User {
	var users []User
	for line := range strings.Lines(string(data)) {
		if strings.Count(line, ":") < 6 || !isName(line) {
			continue
		}
		f := fields(line)
		uid, okUID := id(f[2])
		gid, okGID := id(f[3])
		if okUID && okGID {
			users = append(users, User{Name: f[0], Password: f[1], UID: uid, GID: gid, Home: f[5], Shell: f[6]})
		}
	}
	return users
}

// ParseGroup returns the entries of a group file in order.
func ParseGroup(data []byte) []Group {
	var groups []Group
	for line := range strings.Lines(string(data)) {
		if strings.Count(line, ":") < 2 || !isName(line) {
			continue
		}
		f := fields(line)
		if gid, ok := id(f[2]); ok {
			g := Group{Name: f[0], GID: gid}
			if len(f) > 3 && f[3] != "" {
				g.Members = strings.Split(f[3], ",")
			}
			groups = append(groups, g)
		}
	}
	return groups
}

// FindUser returns the first entry called name; as for the C library, later
// ones do not count.
func FindUser(users []User, name string) (User, bool) {
	for _, u := range users {
		if u.Name == name {
			return u, true
		}
	}
	return User{}, false
}

// FindGroup returns the first entry called name.
func FindGroup(groups []Group, name string) (Group, bool) {
	for _, g := range groups {
		if g.Name == name {
			return g, true
		}
	}
	return Group{}, false
}

// SetPasswdHash puts hash into the second field of every line of user in a
// passwd file. The other fields, lines and line ends stay.
func SetPasswdHash(data []byte, user, hash string) ([]byte, error) {
	if err := checkField(hash); err != nil {
		return nil, err
	}
	lines := SplitLines(data)
	found := false
	for i, line := range lines {
		if !strings.HasPrefix(line, user+":") {
			continue
		}
		text, end := CutEnd(line)
		f := strings.Split(text, ":")
		f[1] = hash
		lines[i] = strings.Join(f, ":") + end
		found = true
	}
	if !found {
		return nil, fmt.Errorf("no user %q", user)
	}
	return JoinLines(lines), nil
}

// checkField refuses what would break out of a field. The text is not part of
// the error: it is a password hash.
func checkField(s string) error {
	if strings.ContainsAny(s, ":\n\r\x00") {
		return fmt.Errorf("a password hash with a colon or a control character")
	}
	return nil
}

func fields(line string) []string {
	text, _ := CutEnd(line)
	return strings.Split(text, ":")
}

// isName reports whether the first field of a line is a name: not empty, no comment
// and no NIS marker.
func isName(line string) bool { return strings.IndexByte(":#+-", line[0]) < 0 }

// id parses a user or group number. 2³²-1 means "leave" to chown(2).
func id(s string) (int, bool) {
	n, err := strconv.ParseUint(s, 10, 32)
	return int(n), err == nil && n != 1<<32-1
}
