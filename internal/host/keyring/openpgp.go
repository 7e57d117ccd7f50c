package keyring

import (
	"bytes"
	"crypto"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/armor"
	"github.com/ProtonMail/go-crypto/openpgp/clearsign"
	pgperrors "github.com/ProtonMail/go-crypto/openpgp/errors"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
	openpgp "github.com/ProtonMail/go-crypto/openpgp/v2"
)

// policy refuses what RFC 9580 section 9.5 and common practice call broken: RSA below 2048
// bits, DSA and ElGamal (the library's default), and digests that can be forged.
func policy(now time.Time) *packet.Config {
	return &packet.Config{
		Time:       func() time.Time { return now },
		MinRSABits: 2047, // a modulus of 2048 bits may be one bit shorter
		RejectMessageHashAlgorithms: map[crypto.Hash]bool{
			crypto.SHA1: true, crypto.MD5: true, crypto.RIPEMD160: true, crypto.SHA224: true,
		},
	}
}

// Clearsigned returns the signed part of a clear-signed message, verified. What stands
// before or behind it is not signed and does not count.
func Clearsigned(keys Keys, data []byte) ([]byte, Signer, error) {
	if len(data) > MaxFile {
		return nil, Signer{}, ErrTooBig
	}
	block, _ := clearsign.Decode(data)
	if block == nil {
		return nil, Signer{}, ErrNoSignature
	}
	signature, err := io.ReadAll(io.LimitReader(block.ArmoredSignature.Body, MaxFile))
	if err != nil {
		return nil, Signer{}, wrap(ErrNoSignature, err)
	}
	s, err := verifyOpenPGP(keys, bytes.NewReader(block.Bytes), signature)
	return block.Plaintext, s, err
}

func verifyOpenPGP(keys Keys, signed io.Reader, signature []byte) (Signer, error) {
	signature, err := dearmor(signature)
	if err != nil {
		return Signer{}, err
	}
	if err := countSignatures(signature); err != nil {
		return Signer{}, err
	}
	now := keys.now()
	md, err := openpgp.VerifyDetachedSignatureReader(keys.openPGP(), signed, bytes.NewReader(signature), policy(now))
	if err != nil {
		return Signer{}, wrap(ErrNoSignature, err)
	}
	if _, err := io.Copy(io.Discard, md.UnverifiedBody); err != nil {
		return Signer{}, fmt.Errorf("reading what is signed: %w", err)
	}
	c := md.SelectedCandidate
	s := keys.signer(c.SignedByEntity, c.IssuerKeyId)
	if md.Signature != nil {
		s.Date = md.Signature.CreationTime.UTC()
	}
	if md.SignatureError != nil {
		return s, openPGPError(md.SignatureError, c.SignedByEntity, c.IssuerKeyId, now)
	}
	return s, stillGood(md.SignedBy, now)
}

// stillGood refuses a key that has expired, or was revoked for whatever reason, since it
// signed: whoever has it today can sign with a date of then.
func stillGood(key *openpgp.Key, now time.Time) error {
	if revoked(key.Entity, key.PublicKey.KeyId, now) {
		return ErrKeyRevoked
	}
	primary := key.Entity.PrimaryKey
	if self := key.PrimarySelfSignature; self != nil && primary.KeyExpired(self, now) {
		return ErrKeyExpired
	}
	if self := key.SelfSignature; self != nil && key.PublicKey.KeyExpired(self, now) {
		return ErrKeyExpired
	}
	return nil
}

// revoked reports whether a key was revoked, or that of its subkeys which has the id.
func revoked(e *openpgp.Entity, id uint64, now time.Time) bool {
	return e.Revoked(now) || slices.ContainsFunc(e.Subkeys, func(s openpgp.Subkey) bool {
		return s.PublicKey.KeyId == id && s.Revoked(nil, now)
	})
}

// openPGPError returns the library's error as one of this package's. The library does not
// always say that a key was revoked or has expired when it finds no usable one.
func openPGPError(err error, signer *openpgp.Entity, id uint64, now time.Time) error {
	var weak pgperrors.WeakAlgorithmError
	var bad pgperrors.SignatureError
	switch {
	case errors.Is(err, pgperrors.ErrUnknownIssuer) || signer == nil:
		return ErrUnknownKey
	case errors.Is(err, pgperrors.ErrKeyRevoked), revoked(signer, id, now):
		return ErrKeyRevoked
	case errors.Is(err, pgperrors.ErrKeyExpired):
		return ErrKeyExpired
	case errors.Is(err, pgperrors.ErrSignatureExpired):
		return ErrExpired
	case errors.As(err, &weak), errors.As(err, &bad) && isInsecure(string(bad)):
		return wrap(ErrWeakSignature, err)
	}
	return wrap(ErrBadSignature, err)
}

func isInsecure(text string) bool { return bytes.Contains([]byte(text), []byte("insecure")) }

// dearmor returns the packets of a signature that may be armored.
func dearmor(signature []byte) ([]byte, error) {
	if !bytes.Contains(signature, []byte("-----BEGIN PGP")) {
		return signature, nil
	}
	block, err := armor.Decode(bytes.NewReader(signature))
	if err != nil || block.Type != "PGP SIGNATURE" {
		return nil, ErrNoSignature
	}
	packets, err := io.ReadAll(io.LimitReader(block.Body, MaxFile))
	if err != nil {
		return nil, wrap(ErrNoSignature, err)
	}
	return packets, nil
}

// countSignatures refuses what is not a row of at most maxSignatures signatures.
func countSignatures(packets []byte) error {
	r := packet.NewReader(bytes.NewReader(packets))
	for n := 0; ; n++ {
		p, err := r.Next()
		switch {
		case errors.Is(err, io.EOF) && n > 0:
			return nil
		case err != nil:
			return ErrNoSignature
		case n == maxSignatures:
			return ErrManySignatures
		}
		if _, ok := p.(*packet.Signature); !ok {
			return ErrNoSignature
		}
	}
}
