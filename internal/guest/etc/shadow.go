package etc

import (
	"strconv"
	"strings"
)

// SetShadowHash gives user the password hash in a shadow(5) file. The entry
// becomes that of an account whose password was changed on day (since the
// epoch), never expires and is not expired; a missing entry is added at the
// end. All other lines stay as they are.
func SetShadowHash(data []byte, user, hash string, day int64) ([]byte, error) {
	if err := checkField(hash); err != nil {
		return nil, err
	}
	entry := strings.Join([]string{user, hash, strconv.FormatInt(day, 10), "0", "99999", "7", "", "", ""}, ":")
	lines := SplitLines(data)
	found := false
	for i, line := range lines {
		if strings.HasPrefix(line, user+":") {
			_, end := CutEnd(line)
			lines[i] = entry + end
			found = true
		}
	}
	if !found {
		lines = appendLine(lines, entry)
	}
	return JoinLines(lines), nil
}

// Shadow is an entry of shadow(5) as far as it decides who may log in; -1 is an empty field.
type Shadow struct {
	Hash                           string
	Changed, Max, Inactive, Expire int64 // days
}

// FindShadow returns the first entry of user in a shadow file.
func FindShadow(data []byte, user string) (Shadow, bool) {
	for line := range strings.Lines(string(data)) {
		if strings.HasPrefix(line, user+":") {
			f := append(fields(line), make([]string, 9)...)
			return Shadow{f[1], day(f[2]), day(f[4]), day(f[6]), day(f[7])}, true
		}
	}
	return Shadow{}, false
}

// Expired reports whether nobody can log in to the account on a day: it has expired, or its
// password has, longer than it may.
func (s Shadow) Expired(today int64) bool {
	return s.Expire >= 0 && today >= s.Expire ||
		s.Inactive >= 0 && s.Max >= 0 && s.Changed > 0 && today > s.Changed+s.Max+s.Inactive
}

func day(s string) int64 {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return -1
	}
	return n
}
