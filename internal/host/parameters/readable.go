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
	var problems problem.List
	fail := func(flag string, err error) {
		problems = append(problems, problem.Problem{Severity: problem.Error, Origin: problem.Origin(flag), Message: err.Error(), Rule: errUnread})
	}
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
		if err := mayRead(*f.path); err != nil {
			fail(f.flag+" "+*f.path, err)
			*f.path = ""
		}
	}
	good.KeysFiles = slices.DeleteFunc(slices.Clone(p.KeysFiles), func(path string) bool {
		err := mayRead(path)
		if err != nil {
			fail("--authorized-keys "+path, err)
		}
		return err != nil
	})
	good.Files = slices.DeleteFunc(slices.Clone(p.Files), func(text string) bool {
		f, err := values.ParseFileFlag(text)
		if err != nil {
			fail("--file", err)
			return true
		}
		if err = mayRead(f.Source); err != nil {
			fail("--file "+f.Source, err)
		}
		return err != nil
	})
	good.Properties = slices.DeleteFunc(slices.Clone(p.Properties), func(text string) bool {
		name, _, ok := strings.Cut(text, "=")
		if bad := !ok || name == ""; bad {
			fail("--property", fmt.Errorf("%q is not NAME=VALUE", text))
			return true
		}
		return false
	})
	good.unread = len(problems) > 0
	return &good, problems
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
