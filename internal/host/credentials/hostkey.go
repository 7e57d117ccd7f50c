package credentials

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"strings"

	"golang.org/x/crypto/ssh"

	"snf-image/internal/spec"
)

// rsaBits is the size ssh-keygen chooses.
const rsaBits = 3072

// ErrUnknownType is a host key type we make no keys of.
var ErrUnknownType = errors.New("unknown SSH host key type")

// HostKeyTypes returns the types of host key there are, in the order sshd
// prefers them.
func HostKeyTypes() []string { return []string{"ed25519", "ecdsa", "rsa"} }

// NewHostKeys makes one host key of each type, in that order. The comment is
// usually root@NAME. It works until ctx ends; an RSA key takes a moment.
func NewHostKeys(ctx context.Context, comment string, types []string) ([]spec.HostKey, error) {
	var keys []spec.HostKey
	for _, kind := range types {
		if err := context.Cause(ctx); err != nil {
			return nil, fmt.Errorf("making SSH host keys: %w", err)
		}
		key, err := newHostKey(kind, comment)
		if err != nil {
			return nil, fmt.Errorf("making an SSH host key of type %q: %w", kind, err)
		}
		keys = append(keys, key)
	}
	return keys, nil
}

func newHostKey(kind, comment string) (spec.HostKey, error) {
	private, err := generate(kind)
	if err != nil {
		return spec.HostKey{}, err
	}
	signer, err := ssh.NewSignerFromSigner(private)
	if err != nil {
		return spec.HostKey{}, err
	}
	block, err := ssh.MarshalPrivateKey(private, comment)
	if err != nil {
		return spec.HostKey{}, err
	}
	public := bytes.TrimSpace(ssh.MarshalAuthorizedKey(signer.PublicKey()))
	return spec.HostKey{
		Type:    kind,
		Private: spec.Secret(pem.EncodeToMemory(block)),
		Public:  strings.TrimSpace(string(public) + " " + comment),
	}, nil
}

// generate makes a private key.
func generate(kind string) (crypto.Signer, error) {
	switch kind {
	case "ed25519":
		_, key, err := ed25519.GenerateKey(rand.Reader)
		return key, err
	case "ecdsa":
		return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case "rsa":
		return rsa.GenerateKey(rand.Reader, rsaBits)
	}
	return nil, ErrUnknownType
}

// Fingerprint returns the SHA256 fingerprint of a public key line as ssh-keygen
// -l shows it.
func Fingerprint(public string) (string, error) {
	key, err := parsePublic(public)
	if err != nil {
		return "", err
	}
	return ssh.FingerprintSHA256(key), nil
}

// KnownHosts returns the lines for a known_hosts file, one for each key, that
// hold for all of the names and addresses. Empty names are left out.
func KnownHosts(names []string, keys []spec.HostKey) ([]string, error) {
	var hosts []string
	for _, name := range names {
		if ip := net.ParseIP(name); ip != nil {
			name = ip.String()
		}
		if name != "" {
			hosts = append(hosts, name)
		}
	}
	if len(hosts) == 0 {
		return nil, nil
	}
	var lines []string
	for _, k := range keys {
		key, err := parsePublic(k.Public)
		if err != nil {
			return nil, err
		}
		lines = append(lines, strings.Join(hosts, ",")+" "+strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key))))
	}
	return lines, nil
}

func parsePublic(line string) (ssh.PublicKey, error) {
	key, _, _, _, err := ssh.ParseAuthorizedKey([]byte(line))
	if err != nil {
		return nil, fmt.Errorf("reading an SSH public key: %w", err)
	}
	return key, nil
}
