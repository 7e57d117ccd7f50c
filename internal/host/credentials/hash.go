package credentials

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/sha512"
	"errors"
	"fmt"

	"github.com/go-crypt/x/base64"
	"github.com/go-crypt/x/crypt"
	"github.com/go-crypt/x/yescrypt"
	"golang.org/x/crypto/bcrypt"

	"snf-image/internal/spec"
)

// Costs of the methods: what crypt(5) and the systems using them take by
// default.
const (
	shaRounds  = 5000
	sha1Rounds = 24680
	bcryptCost = 10
	// yescryptCost stands for N=4096, r=32, the default of Debian.
	yescryptCost = "j9T"
)

// ErrTooLong is a password bcrypt would cut silently.
var ErrTooLong = errors.New("password longer than the 72 bytes of blowfish hashes")

// ErrUnknownMethod is a method that PASSWD_HASHING_METHOD does not have.
var ErrUnknownMethod = errors.New("unknown password hashing method")

// Hash returns a crypt(5) hash of password with a fresh salt. The methods are
// those of the property PASSWD_HASHING_METHOD.
func Hash(method string, password spec.Secret) (spec.Secret, error) {
	hash, err := hashWith(method, []byte(password.Reveal()))
	if err != nil {
		return "", fmt.Errorf("hashing a password with %s: %w", method, err)
	}
	return spec.Secret(hash), nil
}

func hashWith(method string, password []byte) (string, error) {
	switch method {
	case "sha512":
		salt := newSalt(16)
		return join("$6$", salt, crypt.KeySHACrypt(sha512.New, password, salt, shaRounds)), nil
	case "sha256":
		salt := newSalt(16)
		return join("$5$", salt, crypt.KeySHACrypt(sha256.New, password, salt, shaRounds)), nil
	case "md5":
		salt := newSalt(8)
		return join("$1$", salt, crypt.KeyMD5Crypt(password, salt)), nil
	case "sha1":
		salt := newSalt(8)
		return join(fmt.Sprintf("$sha1$%d$", sha1Rounds), salt, crypt.KeySHA1Crypt(password, salt, sha1Rounds)), nil
	case "blowfish":
		return blowfish(password)
	case "yescrypt":
		setting := "$y$" + yescryptCost + "$" + string(yescrypt.Encode64(random(16)))
		hash, err := yescrypt.Hash(password, []byte(setting))
		return string(hash), err
	}
	return "", ErrUnknownMethod
}

// blowfish returns a bcrypt hash. The prefix $2b$ is the one OpenBSD writes; up
// to 72 bytes it names the same function as Go's $2a$.
func blowfish(password []byte) (string, error) {
	hash, err := bcrypt.GenerateFromPassword(password, bcryptCost)
	if errors.Is(err, bcrypt.ErrPasswordTooLong) {
		return "", ErrTooLong
	}
	if err != nil {
		return "", err
	}
	return "$2b$" + string(hash[4:]), nil
}

// join puts together prefix, salt and encoded key as crypt(5) has them.
func join(prefix string, salt, key []byte) string {
	return prefix + string(salt) + "$" + string(key)
}

// newSalt returns n random characters of the alphabet of crypt(5).
func newSalt(n int) []byte { return base64.EncodeCrypt(random(n))[:n] }

// random returns n random bytes; the kernel never fails to give them.
func random(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b)
	return b
}
