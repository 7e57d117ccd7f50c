package inspect

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"snf-image/internal/guest/etc"
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

	conditional []conditionalKeys
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

const (
	sshDir        = "/etc/ssh"
	sshConfig     = sshDir + "/sshd_config"
	maxSSHConfig  = 1 << 20 // bytes of one file
	maxIncluded   = 200     // files and patterns in all
	maxIncludeLen = 16      // depth, as in OpenSSH
)

// SSH reads the configuration of the image's SSH server, with the files it
// includes. The Server is usable also when err is not nil.
func SSH(root *rootfs.Root) (Server, error) {
	s := Server{Configured: root.Exists(sshConfig)}
	for _, p := range []string{"/usr/sbin/sshd", "/usr/local/sbin/sshd", "/usr/bin/sshd", "/sbin/sshd"} {
		s.Installed = s.Installed || root.IsRegular(p)
	}
	// A key tells that somebody started a server, wherever its program is.
	keys, _ := root.Glob(sshDir + "/ssh_host_*_key")
	s.Installed = s.Installed || len(keys) > 0
	r := sshReader{root: root}
	var err error
	if s.Configured {
		err = r.read(sshConfig, 0, nil)
	}
	s.HostKeys, s.AuthorizedKeys, s.conditional = r.hostKeys, r.authorizedKeys, r.conditional
	s.StrictModes = !strings.EqualFold(r.strictModes, "no")
	if len(s.HostKeys) == 0 {
		for _, t := range hostKeyTypes {
			s.HostKeys = append(s.HostKeys, HostKey{Path: sshDir + "/ssh_host_" + t + "_key", Type: t})
		}
	}
	if len(s.AuthorizedKeys) == 0 {
		s.AuthorizedKeys = []string{".ssh/authorized_keys", ".ssh/authorized_keys2"}
	}
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

// sshReader gathers what holds for every connection.
type sshReader struct {
	root           *rootfs.Root
	files          int
	hostKeys       []HostKey
	authorizedKeys []string
	conditional    []conditionalKeys
	strictModes    string
}

// read takes in one file and, in their places, those it includes. What it holds
// counts under the conditions of the Match lines before the Include; a Match line
// ends with its file.
func (r *sshReader) read(p string, depth int, outer []match) error {
	if r.files++; r.files > maxIncluded || depth > maxIncludeLen {
		return fmt.Errorf("reading %s: included too deep or too often", p)
	}
	data, err := r.root.ReadFile(p, maxSSHConfig)
	if err != nil {
		return err
	}
	conditions := outer
	for _, d := range etc.ParseSSHD(data) {
		if len(d.Args) == 0 {
			continue
		}
		switch d.Keyword {
		case "match":
			conditions = append(slices.Clip(outer), match(d.Args))
		case "hostkey":
			if len(conditions) == 0 { // cannot stand in a Match block
				r.addHostKey(d.Args[0])
			}
		case "authorizedkeysfile":
			r.addAuthorizedKeys(d.Args, conditions)
		case "strictmodes":
			if len(conditions) == 0 && r.strictModes == "" {
				r.strictModes = d.Args[0]
			}
		case "include":
			if err := r.include(d.Args, depth+1, conditions); err != nil {
				return err
			}
		}
	}
	return nil
}

func (r *sshReader) addAuthorizedKeys(files []string, conditions []match) {
	switch {
	case len(conditions) > 0 && len(r.conditional) < maxIncluded:
		r.conditional = append(r.conditional, conditionalKeys{conditions, files})
	case len(conditions) == 0 && r.authorizedKeys == nil: // the first value counts
		r.authorizedKeys = files
	}
}

func (r *sshReader) include(patterns []string, depth int, conditions []match) error {
	for _, pattern := range patterns {
		if !strings.HasPrefix(pattern, "/") {
			pattern = sshDir + "/" + pattern
		}
		if r.files++; r.files > maxIncluded {
			return fmt.Errorf("reading %s: included too often", pattern)
		}
		files, err := r.root.Glob(pattern)
		if err != nil {
			return err
		}
		for _, p := range files {
			if err := r.read(p, depth, conditions); err != nil && !rootfs.IsNotExist(err) {
				return err
			}
		}
	}
	return nil
}

func (r *sshReader) addHostKey(p string) {
	if len(r.hostKeys) >= maxIncluded {
		return
	}
	p = path.Clean("/" + p) // servers are started in the root directory
	if !slices.ContainsFunc(r.hostKeys, func(k HostKey) bool { return k.Path == p }) {
		k := HostKey{Path: p, Type: r.typeOf(p)}
		if k.Obsolete = k.Type == dsaType; !slices.Contains(hostKeyTypes, k.Type) {
			k.Type = ""
		}
		r.hostKeys = append(r.hostKeys, k)
	}
}
