package parameters

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"snf-image/internal/host/problem"
	"snf-image/internal/host/values"

	"golang.org/x/sys/unix"
)

// readable returns p without what cannot be read, and a problem for each of these: they
// are reported together with all other problems. It only asks; a file that cannot be read
// later is a failure then.
func (p *Flags) readable() (*Flags, problem.List) {
	good := *p
	var found unreadable
	for _, f := range []struct {
		flag string
		path *string
	}{
		{"--params", &good.Params},
		{"--password-file", &good.PasswordFile},
		{"--password-hash-file", &good.HashFile},
		{"--personality", &good.Personality},
		{"--product-key-file", &good.ProductKeyFile},
		{"--user-data", &good.UserDataFile},
	} {
		if found.add(f.flag+" "+*f.path, mayRead(*f.path)) {
			*f.path = ""
		}
	}
	good.KeysFiles = slices.DeleteFunc(slices.Clone(p.KeysFiles), func(path string) bool {
		return found.add("--authorized-keys "+path, mayRead(path))
	})
	good.Files = slices.DeleteFunc(slices.Clone(p.Files), func(text string) bool {
		f, err := values.ParseFileFlag(text)
		return found.add("--file", err) || found.add("--file "+f.Source, mayRead(f.Source))
	})
	good.Properties = slices.DeleteFunc(slices.Clone(p.Properties), func(text string) bool {
		var err error
		if name, _, ok := strings.Cut(text, "="); !ok || name == "" {
			err = fmt.Errorf("%q is not NAME=VALUE", text)
		}
		return found.add("--property", err)
	})
	good.unread = len(found.problems) > 0
	return &good, found.problems
}

// unreadable collects what cannot be read.
type unreadable struct{ problems problem.List }

// add adds err, unless it is nil, and reports whether it did.
func (u *unreadable) add(flag string, err error) bool {
	if err != nil {
		u.problems = append(u.problems, problem.Problem{Severity: problem.Error, Origin: problem.Origin(flag), Message: err.Error(), Rule: errUnread})
	}
	return err != nil
}

// errUnread is the rule that what flags name can be read.
var errUnread = errors.New("unreadable flag")

// mayRead reports why the file at path cannot be read. It opens nothing: what reads from
// a pipe has to read it once.
func mayRead(path string) error {
	if path == "" || path == "-" {
		return nil
	}
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		return err
	}
	if st.Mode&unix.S_IFMT == unix.S_IFDIR {
		return unix.EISDIR
	}
	return unix.Faccessat(unix.AT_FDCWD, path, unix.R_OK, unix.AT_EACCESS)
}
