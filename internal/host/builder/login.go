package builder

import (
	"fmt"
	"regexp"
	"strings"

	"snf-image/internal/host/problem"
	"snf-image/internal/spec"
)

// buildLogin sets password, hash and keys.
func (b *builder) buildLogin() {
	password, hasPassword := b.values[spec.ImgPasswd]
	hash, hasHash := b.values[spec.ImgPasswdHash]
	if hasPassword && hasHash {
		b.report(problem.Error, ErrConflict, spec.ImgPasswdHash, "img_passwd and img_passwd_hash exclude each other", "set only one of them")
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
		b.report(problem.Warning, ErrPassword, spec.ImgPasswd, "the password is empty: anybody may log in", "")
	}
	if strings.ContainsAny(password, "\x00\n\r") {
		b.report(problem.Error, ErrPassword, spec.ImgPasswd, "line break or NUL in the password", "")
	}
	if b.spec.HashMethod("") == "blowfish" && len(password) > maxBlowfish {
		b.report(problem.Error, ErrPassword, spec.ImgPasswd, "blowfish hashes take at most 72 bytes of a password", "choose another PASSWD_HASHING_METHOD or a shorter password")
	}
	if len(password) > maxPassword {
		b.report(problem.Error, ErrPassword, spec.ImgPasswd, fmt.Sprintf("more than %d bytes", maxPassword), "")
	}
}

// Limits of crypt(3): what is longer cannot be used to log in
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
		b.report(problem.Error, ErrPasswordHash, spec.ImgPasswdHash, "the hash is empty", "use img_passwd to set an empty password")
	case len(hash) > maxHash:
		b.report(problem.Error, ErrPasswordHash, spec.ImgPasswdHash, fmt.Sprintf("more than %d bytes", maxHash), "")
	case strings.ContainsFunc(hash, bad):
		b.report(problem.Error, ErrPasswordHash, spec.ImgPasswdHash, "the hash holds a colon, white space or a character that is not printable ASCII", "make it with mkpasswd or openssl passwd")
	case !cryptHash.MatchString(hash):
		b.report(problem.Warning, ErrPasswordHash, spec.ImgPasswdHash, "this does not look like a crypt(3) hash", "check that it is not the password itself")
	}
}

// privateKey is the first line of a private key in any of its PEM forms (RFC 7468,
// section 10; OpenSSH's PROTOCOL.key).
var privateKey = regexp.MustCompile(`-----BEGIN [A-Z ]*PRIVATE KEY-----`)

// buildKeys sets AuthorizedKeys. Whether sshd would take a line is judged where
// there is an SSH library.
func (b *builder) buildKeys() {
	text, ok := b.text(spec.AuthKeys)
	if !ok {
		return
	}
	if privateKey.MatchString(text) {
		b.report(problem.Error, ErrAuthKeys, spec.AuthKeys, "a private key is in it", "give the public key: the file whose name ends in .pub")
		return
	}
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			b.spec.AuthorizedKeys = append(b.spec.AuthorizedKeys, line)
		}
	}
	if len(b.spec.AuthorizedKeys) == 0 {
		b.report(problem.Warning, ErrAuthKeys, spec.AuthKeys, "no key in it, ignored", "")
	}
	if strings.ContainsRune(text, 0) {
		b.report(problem.Error, ErrAuthKeys, spec.AuthKeys, "NUL in the authorized keys", "")
	}
}
