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

// ShadowHash returns the password field of user in a shadow file.
func ShadowHash(data []byte, user string) (string, bool) {
	for line := range strings.Lines(string(data)) {
		if strings.HasPrefix(line, user+":") {
			return fields(line)[1], true
		}
	}
	return "", false
}
