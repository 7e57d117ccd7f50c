package spec

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// buildLogin sets password, hash and keys.
func (b *builder) buildLogin() {
	password, hasPassword := b.values[ImgPasswd]
	hash, hasHash := b.values[ImgPasswdHash]
	if hasPassword && hasHash {
		b.report(Error, ErrConflict, ImgPasswdHash, "img_passwd and img_passwd_hash exclude each other", "set only one of them")
		return
	}
	if hasPassword {
		b.checkPassword(password.text.Reveal())
		b.spec.Password = &password.text
	}
	if hasHash {
		b.checkHash(hash.text.Reveal())
		b.spec.PasswordHash = &hash.text
	}
	b.buildKeys()
}

func (b *builder) checkPassword(password string) {
	if password == "" {
		b.report(Warning, ErrPassword, ImgPasswd, "the password is empty: anybody may log in", "")
	}
	if strings.ContainsAny(password, "\x00\n\r") {
		b.report(Error, ErrPassword, ImgPasswd, "line break or NUL in the password", "")
	}
	if b.spec.HashMethod("") == "blowfish" && len(password) > maxBlowfish {
		b.report(Error, ErrPassword, ImgPasswd, "blowfish hashes take at most 72 bytes of a password", "choose another PASSWD_HASHING_METHOD or a shorter password")
	}
	if len(password) > maxPassword {
		b.report(Error, ErrPassword, ImgPasswd, fmt.Sprintf("more than %d bytes", maxPassword), "")
	}
}

// Limits of crypt(3): what is longer can not be used to log in
// (CRYPT_MAX_PASSPHRASE_SIZE and CRYPT_OUTPUT_SIZE of libxcrypt).
const (
	maxPassword = 511
	maxBlowfish = 72
	maxHash     = 383
)

// cryptHash is what crypt(5) describes: a method between dollar signs, the BSDi
// form, traditional DES, or a locked account.
var cryptHash = regexp.MustCompile(`^(\$.+|_.{19}|[./0-9A-Za-z]{13}|[*!].*)$`)

func (b *builder) checkHash(hash string) {
	bad := func(r rune) bool { return r <= ' ' || r == ':' || r >= 0x7f }
	switch {
	case hash == "":
		b.report(Error, ErrPasswordHash, ImgPasswdHash, "the hash is empty", "use img_passwd to set an empty password")
	case len(hash) > maxHash:
		b.report(Error, ErrPasswordHash, ImgPasswdHash, fmt.Sprintf("more than %d bytes", maxHash), "")
	case strings.ContainsFunc(hash, bad):
		b.report(Error, ErrPasswordHash, ImgPasswdHash, "the hash holds a colon, white space or a character that is not printable ASCII", "make it with mkpasswd or openssl passwd")
	case !cryptHash.MatchString(hash):
		b.report(Warning, ErrPasswordHash, ImgPasswdHash, "this does not look like a crypt(3) hash", "check that it is not the password itself")
	}
}

// buildKeys sets AuthorizedKeys. Whether sshd would take a line is judged where
// there is an SSH library.
func (b *builder) buildKeys() {
	text, ok := b.text(AuthKeys)
	if !ok {
		return
	}
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			b.spec.AuthorizedKeys = append(b.spec.AuthorizedKeys, line)
		}
	}
	if len(b.spec.AuthorizedKeys) == 0 {
		b.report(Warning, ErrAuthKeys, AuthKeys, "no key in it, ignored", "")
	}
	if strings.ContainsRune(text, 0) {
		b.report(Error, ErrAuthKeys, AuthKeys, "NUL in the authorized keys", "")
	}
}

// setsLogin says whether a password, a hash or keys are to be set.
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
// family (interface.md section 3).
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
	return hashMethods()[0]
}
