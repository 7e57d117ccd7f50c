package sshd

import (
	"bytes"
	"encoding/pem"
	"path"
	"strings"
)

// Types we cannot make keys of: DSA, which no current server takes, and keys that
// lie in hardware.
const (
	dsaType   = "dsa"
	otherType = "other"
)

// typeOf tells the type of a host key by the private key, by its public half, and
// only where neither says anything by its name.
func (r *reader) typeOf(p string) string {
	private, err := r.root.ReadFile(p, maxKey)
	kind := ""
	if err == nil {
		kind = privateType(private)
	}
	if data, err := r.root.ReadFile(p+".pub", maxKey); err == nil && kind == "" {
		kind = publicType(data)
	}
	if kind != "" {
		return kind
	}
	for _, t := range append(hostKeyTypes[:len(hostKeyTypes):len(hostKeyTypes)], dsaType) {
		if strings.Contains(path.Base(p), t) {
			return t
		}
	}
	if len(bytes.TrimSpace(private)) == 0 {
		return defaultType // no key is there that could tell
	}
	return otherType
}

// defaultType is the type of a key that a configuration asks for by a name that
// tells nothing, and that does not exist.
const defaultType = "ed25519"

// algorithms are the names of key types in OpenSSH's files, the type for each.
var algorithms = []struct{ name, kind string }{
	{"ssh-ed25519", "ed25519"}, {"ecdsa-sha2-", "ecdsa"}, {"ssh-rsa", "rsa"}, {"ssh-dss", dsaType}, {"sk-", otherType},
}

// publicType tells the type of a public key line.
func publicType(data []byte) string {
	line, _, _ := strings.Cut(string(data), "\n")
	algorithm, _, _ := strings.Cut(strings.TrimSpace(line), " ")
	for _, a := range algorithms {
		if strings.HasPrefix(algorithm, a.name) {
			return a.kind
		}
	}
	return ""
}

// privateType tells the type of a private key by its envelope or, in OpenSSH's
// own format (PROTOCOL.key), by the public key at its beginning.
func privateType(data []byte) string {
	block, _ := pem.Decode(data)
	if block == nil {
		return ""
	}
	switch block.Type {
	case "RSA PRIVATE KEY":
		return "rsa"
	case "EC PRIVATE KEY":
		return "ecdsa"
	case "DSA PRIVATE KEY":
		return dsaType
	case "PRIVATE KEY":
		return pkcs8Type(block.Bytes)
	case "OPENSSH PRIVATE KEY":
		head := block.Bytes[:min(len(block.Bytes), 128)]
		for _, a := range algorithms {
			if bytes.Contains(head, []byte(a.name)) {
				return a.kind
			}
		}
	}
	return ""
}

// pkcs8Type tells the type of a private key in PKCS #8 by the object identifier
// of its algorithm, which stands at its beginning (RFC 5208).
func pkcs8Type(der []byte) string {
	head := der[:min(len(der), 32)]
	for _, o := range []struct{ id, kind string }{
		{"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01", "rsa"},
		{"\x2a\x86\x48\xce\x3d\x02\x01", "ecdsa"},
		{"\x06\x03\x2b\x65\x70", "ed25519"},
		{"\x2a\x86\x48\xce\x38\x04\x01", dsaType},
	} {
		if bytes.Contains(head, []byte(o.id)) {
			return o.kind
		}
	}
	return ""
}
