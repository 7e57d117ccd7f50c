package windows

import (
	"fmt"
	"slices"
	"strings"

	"snf-image/internal/guest/outcome"
	"snf-image/internal/guest/registry"
	"snf-image/internal/guest/rootfs"
	"snf-image/internal/guest/system"
	"snf-image/internal/guest/windows/answer"
	"snf-image/internal/guest/windows/script"
	"snf-image/internal/spec"
)

// Administrator is the account whose password is set when no other one is named. It has a
// name of its own in some languages, and some administrators give it one.
const Administrator = "Administrator"

// administratorRID is the number that account has, whatever its name is.
const administratorRID = 500

// hiveSAM is the registry below HKEY_LOCAL_MACHINE\SAM, where each account is a key whose
// nameless value has the account's number for its type.
const (
	hiveSAM  = "/Windows/System32/config/SAM"
	namesKey = `SAM\Domains\Account\Users\Names`
)

// account is a local account.
type account struct {
	name string
	rid  uint32
}

// accounts returns the accounts of the image.
func accounts(root *rootfs.Root) ([]account, error) {
	h, err := registry.Open(root, hiveSAM)
	if err != nil {
		return nil, err
	}
	defer h.Close() //nolint:errcheck // it was only read
	var out []account
	err = h.Below(namesKey, "", func(name string, v registry.Value, _ bool) {
		out = append(out, account{name, uint32(v.Type)})
	})
	return out, err
}

// DefaultUser returns the account whose password is set when USERS names none.
func DefaultUser(root *rootfs.Root) (string, error) {
	all, err := accounts(root)
	if err != nil {
		return "", err
	}
	if named(all, Administrator) {
		return Administrator, nil
	}
	for _, a := range all {
		if a.rid == administratorRID {
			return a.name, nil
		}
	}
	return "", outcome.Advise(fmt.Errorf("the image has no account called %s, and none with the number %d", Administrator, administratorRID), "name users of the image in the property USERS")
}

func named(all []account, user string) bool {
	return slices.ContainsFunc(all, func(a account) bool { return strings.EqualFold(a.name, user) })
}

// SetPasswords has the first boot give users that password: those of the image, and those
// that the answer file makes.
func SetPasswords(g system.Guest, s System, users []string, password spec.Secret) error {
	made, err := fromAnswer(g.Root, s)
	if err != nil {
		return err
	}
	text, err := passwords(g, s, made, users, password)
	if err != nil {
		return err
	}
	return put(g.Root, script.Passwords, text)
}

// passwords returns the script that sets them, where the answer file says what made has. On a
// machine that was not started yet, other accounts still get the password that is due.
func passwords(g system.Guest, s System, made answer.Settings, users []string, password spec.Secret) ([]byte, error) {
	all, err := accounts(g.Root)
	if err != nil {
		return nil, err
	}
	for _, user := range users {
		if !named(all, user) && !slices.ContainsFunc(made.Local, func(n string) bool { return strings.EqualFold(n, user) }) {
			return nil, outcome.Advise(fmt.Errorf("the image has no user %q, which the property USERS names", user), "name users of the image in the property USERS")
		}
		if strings.EqualFold(made.AutoLogon, user) {
			g.Warn("the answer file logs %s in by itself, with a password of its own: it will be asked for", user)
		}
	}
	text, err := script.SetPasswords(users, password, s.Major < 6)
	if err != nil {
		return nil, outcome.Advise(err, "choose another password, or other users")
	}
	if !g.Living || !waiting(g.Root) {
		return text, nil
	}
	former, err := readPlain(g.Root, script.Passwords, rootfs.MaxConfig)
	return script.AddPasswords(text, former), err
}

// fromAnswer returns what the answer file says; before NT 6 it makes no accounts.
func fromAnswer(root *rootfs.Root, s System) (answer.Settings, error) {
	if s.Major < 6 {
		return answer.Settings{}, nil
	}
	p, err := Answer(root)
	if err != nil {
		return answer.Settings{}, err
	}
	data, err := readPlain(root, p, answer.Size)
	if err != nil {
		return answer.Settings{}, err
	}
	return answer.Read(data, s.Architecture)
}
