package keyring

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"aead.dev/minisign"
	"github.com/ProtonMail/go-crypto/openpgp/armor"
	openpgp "github.com/ProtonMail/go-crypto/openpgp/v2"
)

// Key is a public key of the keyring.
type Key struct {
	File        string // the path it was read from
	Fingerprint string // of the primary key, in capitals; of a minisign key its id
	Owner       string
	Expires     time.Time // zero when it does not, or does not say
	Revoked     bool

	pgp  *openpgp.Entity
	mini *minisign.PublicKey
}

// Keys are keys to verify with.
type Keys struct {
	list []Key
	// Now is the time expiry is judged by; nil is the clock.
	Now func() time.Time
}

// MaxFile is the largest file of keys or signatures that is read, in bytes.
const MaxFile = 1 << 20

// Errors of keys.
var (
	ErrTooBig    = fmt.Errorf("it has more than %d bytes", MaxFile)
	ErrNoKey     = errors.New("not a public key of OpenPGP or minisign")
	ErrSecretKey = errors.New("it holds a secret key: export the public one alone (gpg --export), and keep this file away from nodes")
)

// Parse reads the keys of one file: armored or binary OpenPGP, or minisign.
func Parse(file string, data []byte) ([]Key, error) {
	if len(data) > MaxFile {
		return nil, ErrTooBig
	}
	if bytes.Contains(data, []byte("PRIVATE KEY BLOCK")) || bytes.Contains(data, []byte("minisign encrypted secret key")) {
		return nil, ErrSecretKey
	}
	if k, owner, ok := readMinisign(string(data)); ok {
		return []Key{{File: file, Fingerprint: fmt.Sprintf("%016X", k.ID()), Owner: owner, mini: k}}, nil
	}
	entities, err := readEntities(data)
	if err != nil {
		return nil, wrap(ErrNoKey, err)
	}
	var keys []Key
	for _, e := range entities {
		if e.PrivateKey != nil {
			return nil, ErrSecretKey
		}
		keys = append(keys, describe(file, e))
	}
	if len(keys) == 0 {
		return nil, ErrNoKey
	}
	return keys, nil
}

// readEntities reads binary keys, or all armored blocks of a file: vendors publish several
// keys in one, and the library reads the first block alone.
func readEntities(data []byte) (openpgp.EntityList, error) {
	if !bytes.Contains(data, []byte("-----BEGIN PGP")) {
		return openpgp.ReadKeyRing(bytes.NewReader(data))
	}
	var all openpgp.EntityList
	for r := bufio.NewReader(bytes.NewReader(data)); ; { // a reader of its own would read ahead
		block, err := armor.Decode(r)
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		if err != nil {
			return nil, err
		}
		if block.Type != "PGP PUBLIC KEY BLOCK" {
			return nil, ErrNoKey
		}
		l, err := openpgp.ReadKeyRing(block.Body)
		if err != nil {
			return nil, err
		}
		all = append(all, l...)
	}
}

func describe(file string, e *openpgp.Entity) Key {
	k := Key{File: file, Fingerprint: fmt.Sprintf("%X", e.PrimaryKey.Fingerprint), pgp: e}
	now := time.Now()
	k.Revoked = e.Revoked(now)
	if self, err := e.PrimarySelfSignature(time.Time{}, nil); err == nil && self.KeyLifetimeSecs != nil && *self.KeyLifetimeSecs != 0 {
		k.Expires = e.PrimaryKey.CreationTime.Add(time.Duration(*self.KeyLifetimeSecs) * time.Second)
	}
	names := make([]string, 0, len(e.Identities))
	for name := range e.Identities {
		names = append(names, name)
	}
	slices.Sort(names)
	if len(names) > 0 {
		k.Owner = names[0]
	}
	return k
}

// New returns keys as one set.
func New(list ...Key) Keys { return Keys{list: list} }

// All returns the keys.
func (k Keys) All() []Key { return slices.Clone(k.list) }

// Bound returns those of the keys whose fingerprint is one of fingerprints; spaces and case
// in them do not count.
func (k Keys) Bound(fingerprints []string) Keys {
	want := make([]string, 0, len(fingerprints))
	for _, f := range fingerprints {
		want = append(want, strings.ToUpper(strings.ReplaceAll(f, " ", "")))
	}
	bound := Keys{Now: k.Now}
	for _, key := range k.list {
		if slices.Contains(want, key.Fingerprint) {
			bound.list = append(bound.list, key)
		}
	}
	return bound
}

func (k Keys) now() time.Time {
	if k.Now != nil {
		return k.Now()
	}
	return time.Now()
}

func (k Keys) openPGP() openpgp.EntityList {
	var l openpgp.EntityList
	for _, key := range k.list {
		if key.pgp != nil {
			l = append(l, key.pgp)
		}
	}
	return l
}

// signer describes who signed; of an entity that is not there only the id of its key.
func (k Keys) signer(e *openpgp.Entity, id uint64) Signer {
	if e == nil {
		return Signer{Key: fmt.Sprintf("%016X", id)}
	}
	for _, key := range k.list {
		if key.pgp == e {
			return Signer{Key: key.Fingerprint, Name: key.Owner, File: key.File}
		}
	}
	return Signer{Key: fmt.Sprintf("%X", e.PrimaryKey.Fingerprint)}
}

// Has reports whether one of the keys, or of their subkeys, has the id or fingerprint.
func (k Keys) Has(id string) bool {
	return slices.ContainsFunc(k.list, func(key Key) bool {
		return strings.HasSuffix(key.Fingerprint, id) || key.hasSubkey(id)
	})
}

// hasSubkey reports whether id is that of one of the key's subkeys.
func (k Key) hasSubkey(id string) bool {
	if k.pgp == nil {
		return false
	}
	return slices.ContainsFunc(k.pgp.Subkeys, func(s openpgp.Subkey) bool {
		return fmt.Sprintf("%016X", s.PublicKey.KeyId) == id
	})
}
