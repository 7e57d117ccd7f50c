package account

import (
	"errors"
	"fmt"
	"strings"

	"snf-image/internal/guest/etc"
)

// expandTokens replaces the tokens sshd_config(5) allows in AuthorizedKeysFile.
func expandTokens(pattern string, u etc.User, home string) (string, error) {
	var b strings.Builder
	for i := 0; i < len(pattern); i++ {
		if pattern[i] != '%' {
			b.WriteByte(pattern[i])
			continue
		}
		i++
		if i == len(pattern) {
			return "", errors.New("AuthorizedKeysFile ends in a single %")
		}
		switch pattern[i] {
		case 'h':
			b.WriteString(home)
		case 'u':
			b.WriteString(u.Name)
		case 'U':
			fmt.Fprintf(&b, "%d", u.UID)
		case '%':
			b.WriteByte('%')
		default:
			return "", fmt.Errorf("AuthorizedKeysFile holds the unknown token %%%c", pattern[i])
		}
	}
	return b.String(), nil
}
