package credentials

import (
	"fmt"

	"golang.org/x/crypto/ssh"
)

// CheckAuthorizedKeys returns a warning for each line sshd would not take. The
// lines themselves are used as they are, options included: a newer sshd may
// know more than we do. Nothing of a line is quoted, it may be a misplaced
// private key.
func CheckAuthorizedKeys(lines []string) []string {
	var warnings []string
	for i, line := range lines {
		_, _, _, rest, err := ssh.ParseAuthorizedKey([]byte(line))
		if err != nil || len(rest) > 0 {
			warnings = append(warnings, fmt.Sprintf("key %d is not an OpenSSH authorized_keys line, sshd will ignore it", i+1))
		}
	}
	return warnings
}
