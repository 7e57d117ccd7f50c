package account

import (
	"fmt"
	"path"
	"strings"

	"snf-image/internal/guest/etc"
	"snf-image/internal/guest/rootfs"
	"snf-image/internal/guest/sshd"
)

// Password is the state of an account's password.
type Password string

// The states of a password. None is what no password matches, Locked what "passwd -l" makes.
const (
	Set    Password = "set"
	Empty  Password = "empty"
	Locked Password = "locked"
	None   Password = "none"
)

// State is how somebody can log in to an account.
type State struct {
	etc.User
	Password Password
	Expired  bool // the account, for all
	NoShell  bool // its shell lets nobody in
	Keys     bool // it has a file of authorized keys
	// SSH is set if there is an SSH server, and SSHPassword and SSHKeys are what it takes
	// from the user.
	SSH                  bool
	SSHPassword, SSHKeys sshd.Verdict
}

// States returns the states of the accounts that are wanted on a day since the epoch, in the
// order of passwd, no more than maxStates.
func States(root *rootfs.Root, today int64, wanted func(etc.User) bool) ([]State, error) {
	passwd, err := root.ReadFile("/etc/passwd", rootfs.MaxConfig)
	if err != nil {
		return nil, fmt.Errorf("listing users: %w", err)
	}
	text, err := root.ReadFile("/etc/shadow", rootfs.MaxConfig)
	if err != nil && !rootfs.IsNotExist(err) {
		return nil, err
	}
	groups, err := groupsOf(root, nil)
	if err != nil {
		return nil, err
	}
	server, err := sshd.Read(root)
	var states []State
	seen := map[string]bool{}
	for _, u := range etc.ParsePasswd(passwd) {
		if seen[u.Name] || !wanted(u) {
			continue
		}
		if seen[u.Name] = true; len(states) == maxStates {
			break
		}
		s := stateOf(u, text, today)
		s.judge(root, server, groups(u))
		states = append(states, s)
	}
	return states, err
}

// maxStates bounds how many accounts are looked at: the list travels in one message.
const maxStates = 200

// stateOf returns what the files of accounts say.
func stateOf(u etc.User, shadow []byte, today int64) State {
	s := State{User: u, NoShell: !HasShell(u)}
	hash := u.Password
	if hash == "x" {
		entry, ok := etc.FindShadow(shadow, u.Name)
		hash = entry.Hash
		if !ok {
			hash = "*"
		}
		s.Expired = ok && entry.Expired(today)
	}
	switch {
	case hash == "":
		s.Password = Empty
	case strings.HasPrefix(hash, "!"):
		s.Password = Locked
	case strings.HasPrefix(hash, "*"):
		s.Password = None
	default:
		s.Password = Set
	}
	return s
}

// judge adds what the SSH server does with the user.
func (s *State) judge(root *rootfs.Root, server sshd.Server, groups []string) {
	policy := server.Policy(s.User, groups)
	s.SSH, s.SSHPassword, s.SSHKeys = server.Present(), policy.Password, policy.Keys
	if s.Password == Locked && !server.PAM() {
		s.SSHKeys = sshd.Verdict{Because: `its password is locked with "!", and the server does not use PAM`}
	}
	pattern, _ := server.KeysOf(s.Name, groups)
	if f, err := keyFileOf(s.User, pattern); err == nil {
		s.Keys = root.IsRegular(f.path)
	}
}

// HasShell reports whether the shell of an account lets somebody in.
func HasShell(u etc.User) bool {
	switch path.Base(u.Shell) {
	case "nologin", "false", "sync", "shutdown", "halt":
		return false
	}
	return true // an empty one means /bin/sh
}
