package keyring

import (
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"time"

	"aead.dev/minisign"
)

// maxUnhashed is the largest input a minisign signature of the old kind, which is over the
// bytes and not over their digest, is checked for: all of it has to be in memory. The files
// of checksums are below, images are not.
const maxUnhashed = MaxFile

func verifyMinisign(keys Keys, signed io.Reader, text []byte) (Signer, error) {
	var sig minisign.Signature
	if err := sig.UnmarshalText(text); err != nil {
		return Signer{}, wrap(ErrNoSignature, err)
	}
	id := fmt.Sprintf("%016X", sig.KeyID)
	for _, k := range keys.list {
		if k.mini == nil || k.mini.ID() != sig.KeyID {
			continue
		}
		ok, err := checkMinisign(*k.mini, sig, signed, text)
		if err == nil && !ok {
			err = ErrBadSignature
		}
		s := Signer{Key: id, Name: k.Owner, File: k.File}
		if err == nil {
			s.Date = minisignDate(sig.TrustedComment)
		}
		return s, err
	}
	_, err := io.Copy(io.Discard, signed)
	if err != nil {
		return Signer{}, fmt.Errorf("reading what is signed: %w", err)
	}
	return Signer{Key: id}, ErrUnknownKey
}

func checkMinisign(key minisign.PublicKey, sig minisign.Signature, signed io.Reader, text []byte) (bool, error) {
	if sig.Algorithm == minisign.EdDSA {
		data, err := io.ReadAll(io.LimitReader(signed, maxUnhashed+1))
		if err != nil {
			return false, fmt.Errorf("reading what is signed: %w", err)
		}
		if len(data) > maxUnhashed {
			return false, wrap(ErrWeakSignature, fmt.Errorf("a minisign signature of the old kind needs all of the image in memory; sign it with minisign -H"))
		}
		return minisign.Verify(key, data, text), nil
	}
	r := minisign.NewReader(signed)
	if _, err := io.Copy(io.Discard, r); err != nil {
		return false, fmt.Errorf("reading what is signed: %w", err)
	}
	return r.Verify(key, text), nil
}

// readMinisign reads a public key of minisign, with or without its line of comment.
func readMinisign(text string) (*minisign.PublicKey, string, bool) {
	owner := ""
	lines := strings.Split(strings.TrimSpace(text), "\n")
	if rest, ok := strings.CutPrefix(lines[0], "untrusted comment:"); ok {
		owner, lines = strings.TrimSpace(rest), lines[1:]
	}
	if len(lines) != 1 {
		return nil, "", false
	}
	key := new(minisign.PublicKey)
	if err := key.UnmarshalText([]byte(strings.TrimSpace(lines[0]))); err != nil {
		return nil, "", false
	}
	return key, owner, true
}

var timestamp = regexp.MustCompile(`(?:^|\s)timestamp:([0-9]{1,11})(?:\s|$)`)

// minisignDate reads when a signature was made from its trusted comment, where minisign
// writes it.
func minisignDate(comment string) time.Time {
	if m := timestamp.FindStringSubmatch(comment); m != nil {
		if n, err := strconv.ParseInt(m[1], 10, 64); err == nil {
			return time.Unix(n, 0).UTC()
		}
	}
	return time.Time{}
}
