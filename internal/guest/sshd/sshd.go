// Package sshd reads the configuration of a guest's OpenSSH server and judges, as the server
// would, who may log in by it and how.
//
// It changes nothing but one file, where passwords are to be accepted (AllowPasswords).
package sshd

import (
	"slices"
	"strings"

	"snf-image/internal/guest/rootfs"
)

// Server is the configuration of the image's SSH server as far as it matters
// to us.
type Server struct {
	Installed  bool // there is a server program, or a key one made
	Configured bool // there is a configuration file
	// HostKeys are the private key files the server would load, in its order,
	// those it names and, if it names none, the built-in ones.
	HostKeys []HostKey
	// AuthorizedKeys are the arguments of AuthorizedKeysFile that hold where
	// no Match block says otherwise, with their tokens.
	AuthorizedKeys []string
	// StrictModes is set unless the server takes keys from files and homes that
	// others own or can write.
	StrictModes bool

	main     string // its configuration file
	settings []setting
	included map[string]bool // files that hold for every connection
}

// HostKey is a private host key file of the image.
type HostKey struct {
	Path string
	// Type is "rsa", "ecdsa" or "ed25519": that of the key there or, where there
	// is none, the one its name tells, or ed25519. It is empty when the key there
	// is of another type, or of none that can be told.
	Type string
	// Obsolete is set for a DSA key: servers since OpenSSH 7 do without it.
	Obsolete bool
}

// hostKeyTypes are the types there are keys of, in the order of the server's
// defaults.
var hostKeyTypes = []string{"rsa", "ecdsa", "ed25519"}

// Dir is where the server's files are, also what its configuration names by a relative path.
const Dir = "/etc/ssh"

// configs are the places of the configuration file, the first that exists counts: SUSE has
// the vendor's below /usr.
var configs = []string{Dir + "/sshd_config", "/usr/etc/ssh/sshd_config"}

// programs are the places of the server.
var programs = []string{"/usr/sbin/sshd", "/usr/local/sbin/sshd", "/usr/bin/sshd", "/sbin/sshd"}

// Read reads the configuration of the image's SSH server, with the files it
// includes. The Server is usable also when err is not nil.
func Read(root *rootfs.Root) (Server, error) {
	s := Server{main: configs[0]}
	for _, p := range programs {
		s.Installed = s.Installed || root.IsRegular(p)
	}
	// A key tells that somebody started a server, wherever its program is.
	keys, _ := root.Glob(Dir + "/ssh_host_*_key")
	s.Installed = s.Installed || len(keys) > 0
	if i := slices.IndexFunc(configs, root.Exists); i >= 0 {
		s.main, s.Configured = configs[i], true
	}
	r := reader{root: root, included: map[string]bool{}}
	var err error
	if s.Configured {
		err = r.read(s.main, 0, nil)
	}
	s.settings, s.included = r.settings, r.included
	s.HostKeys = r.hostKeys()
	s.AuthorizedKeys, _, _ = s.value(newLogin("", nil), "authorizedkeysfile")
	if len(s.AuthorizedKeys) == 0 {
		s.AuthorizedKeys = []string{".ssh/authorized_keys", ".ssh/authorized_keys2"}
	}
	strict, _, _ := s.value(newLogin("", nil), "strictmodes")
	s.StrictModes = len(strict) == 0 || !strings.EqualFold(strict[0], "no")
	return s, err
}

// Present reports whether there is a server that may use host keys. A
// configuration is enough: its program may have a place we do not know.
func (s Server) Present() bool { return s.Installed || s.Configured }

// Types returns the types of the host keys, each once, in the server's order;
// none when no server is present.
func (s Server) Types() []string {
	if !s.Present() {
		return nil
	}
	var types []string
	for _, k := range s.HostKeys {
		if k.Type != "" && !slices.Contains(types, k.Type) {
			types = append(types, k.Type)
		}
	}
	return types
}

// KeysOf returns the first argument of AuthorizedKeysFile that holds for a user
// of those groups. Unsure is the Match line of a block that would change it for
// some connections only.
func (s Server) KeysOf(user string, groups []string) (pattern, unsure string) {
	files, _, unsure := s.value(newLogin(user, groups), "authorizedkeysfile")
	if len(files) == 0 {
		return s.AuthorizedKeys[0], unsure
	}
	return files[0], unsure
}
