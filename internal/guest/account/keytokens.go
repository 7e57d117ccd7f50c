package account

import (
	"errors"
	"fmt"
	"path"
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

// keyFileOf returns the file that a pattern of AuthorizedKeysFile means for u.
func keyFileOf(u etc.User, pattern string) (*keyFile, error) {
	home := path.Clean(u.Home)
	if !path.IsAbs(home) {
		return nil, fmt.Errorf("its home directory %q is not an absolute path", u.Home)
	}
	file, err := expandTokens(pattern, u, home)
	if err != nil {
		return nil, err
	}
	f := &keyFile{users: []etc.User{u}}
	relative := !path.IsAbs(file)
	if relative {
		file = home + "/" + file
	}
	f.path = path.Clean(file)
	// Everything is below a home "/", but what the pattern does not put there is
	// the system's.
	inside := home != "/" || relative || strings.HasPrefix(pattern, "%h")
	if inside && strings.HasPrefix(f.path, strings.TrimSuffix(home, "/")+"/") {
		f.home = home
	}
	return f, nil
}
