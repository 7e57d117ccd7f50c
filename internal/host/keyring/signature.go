package keyring

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
)

// Errors of signatures.
var (
	ErrNoSignature    = errors.New("not a signature of OpenPGP or minisign")
	ErrUnknownKey     = errors.New("it is signed by a key that is not in the keyring")
	ErrBadSignature   = errors.New("the signature does not match")
	ErrExpired        = errors.New("the signature has expired")
	ErrKeyExpired     = errors.New("the signing key has expired")
	ErrKeyRevoked     = errors.New("the signing key was revoked")
	ErrWeakSignature  = errors.New("the signature or its key is too weak")
	ErrManySignatures = fmt.Errorf("more than %d signatures in one file", maxSignatures)
)

// maxSignatures bounds the work one file of signatures can ask for.
const maxSignatures = 8

// Signer is whose signature was verified.
type Signer struct {
	Key  string // the fingerprint of the primary key, or the id of a minisign key, in capitals
	Name string // what the key says of its owner
	File string // of the keyring
	// Date is when the signature was made, as it says itself; zero when it does not.
	Date time.Time
}

// Verify reads signed to its end and checks a detached signature of it by one of keys. The
// signature may be armored or binary OpenPGP, or minisign. When it is not valid the error is
// one of this package's, and what is known of the signer is returned with it.
func Verify(keys Keys, signed io.Reader, signature []byte) (Signer, error) {
	switch {
	case len(signature) > MaxFile:
		return Signer{}, ErrTooBig
	case isMinisign(signature):
		return verifyMinisign(keys, signed, signature)
	}
	return verifyOpenPGP(keys, signed, signature)
}

// IsClearsigned reports whether data holds a clear-signed message of OpenPGP.
func IsClearsigned(data []byte) bool {
	return bytes.Contains(data, []byte("-----BEGIN PGP SIGNED MESSAGE-----"))
}

func isMinisign(signature []byte) bool {
	return bytes.HasPrefix(bytes.TrimSpace(signature), []byte("untrusted comment:"))
}

// wrap adds to a sentence of this package what the library says of the cause.
func wrap(sentence, cause error) error {
	text := strings.TrimPrefix(cause.Error(), "openpgp: ")
	return fmt.Errorf("%w (%.120s)", sentence, text)
}
