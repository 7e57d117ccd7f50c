package sshd

import (
	"strings"
	"testing"

	"snf-image/internal/guest/etc"
	"snf-image/tests/tree"
)

var (
	rootUser = etc.User{Name: "root", Home: "/root"}
	annUser  = etc.User{Name: "ann", UID: 1000, GID: 1000, Home: "/home/ann"}
)

// TestPolicy has what decides about a password and a key, "yes" for nothing.
func TestPolicy(t *testing.T) {
	t.Parallel()
	const main = "/etc/ssh/sshd_config, line "
	const byDefault = "PermitRootLogin prohibit-password, which is the default"
	for config, c := range map[string]struct {
		user           etc.User
		password, keys string
	}{
		"":                            {annUser, "yes", "yes"},
		"# root\n":                    {rootUser, byDefault, "yes"},
		"PasswordAuthentication no\n": {annUser, main + "1: PasswordAuthentication no", "yes"},
		"UsePAM yes\nPasswordAuthentication no\n":                                  {annUser, "yes", "yes"}, // keyboard-interactive asks for it
		"UsePAM yes\nPasswordAuthentication no\nKbdInteractiveAuthentication no\n": {annUser, main + "2: PasswordAuthentication no", "yes"},
		"PubkeyAuthentication no\n":                                                {annUser, "yes", main + "1: PubkeyAuthentication no"},
		"PermitRootLogin no\n":                                                     {rootUser, main + "1: PermitRootLogin no", main + "1: PermitRootLogin no"},
		"PermitRootLogin yes\n":                                                    {rootUser, "yes", "yes"},
		"PermitRootLogin forced-commands-only\n":                                   {rootUser, main + "1: PermitRootLogin forced-commands-only", main + "1: PermitRootLogin forced-commands-only"},
		"AllowUsers bob\nAllowUsers a*\n":                                          {annUser, "yes", "yes"},
		"\nAllowUsers bob\nAllowUsers carl\n":                                      {annUser, main + "2: AllowUsers bob", main + "2: AllowUsers bob"},
		"DenyUsers bob ann\n":                                                      {annUser, main + "1: DenyUsers bob ann", main + "1: DenyUsers bob ann"},
		"AllowGroups wheel\n":                                                      {annUser, main + "1: AllowGroups wheel", main + "1: AllowGroups wheel"},
		"DenyGroups sta*\n":                                                        {annUser, main + "1: DenyGroups sta*", main + "1: DenyGroups sta*"},
		"AllowUsers bob\nMatch Group staff\nAllowUsers ann\n":                      {annUser, "yes", "yes"},
		"AllowUsers ann@10.0.0.1\n":                                                {annUser, "perhaps " + main + "1: AllowUsers ann@10.0.0.1", "perhaps " + main + "1: AllowUsers ann@10.0.0.1"},
		"Match Address 10.0.0.0/8\nPasswordAuthentication no\n":                    {annUser, "perhaps Match Address 10.0.0.0/8", "yes"},
		"AuthenticationMethods publickey\n":                                        {annUser, main + "1: AuthenticationMethods publickey", "yes"},
		"AuthenticationMethods publickey,password\n":                               {annUser, main + "1: AuthenticationMethods publickey,password", main + "1: AuthenticationMethods publickey,password"},
		"AuthenticationMethods any\n":                                              {annUser, "yes", "yes"},
	} {
		s, err := Read(image(t, map[string]string{"etc/ssh/sshd_config": config}))
		must(t, err)
		p := s.Policy(c.user, map[string][]string{"root": {"root"}, "ann": {"ann", "staff"}}[c.user.Name])
		for what, v := range map[string]struct {
			Verdict
			want string
		}{"password": {p.Password, c.password}, "keys": {p.Keys, c.keys}} {
			got := v.Because
			switch v.Access {
			case Allowed:
				got += "yes"
			case Sometimes:
				got = "perhaps " + got
			}
			if got != v.want {
				t.Errorf("%q: %s of %s: %q, want %q", config, what, c.user.Name, got, v.want)
			}
		}
	}
}

// TestAllowPasswords lets a user and root in where the configuration forbids it, and nobody
// else.
func TestAllowPasswords(t *testing.T) {
	t.Parallel()
	const include = "Include /etc/ssh/sshd_config.d/*.conf\nPasswordAuthentication no\n"
	bob := etc.User{Name: "bob", UID: 1001}
	for title, c := range map[string]struct {
		files map[string]string
		file  string
	}{
		"drop-in":          {map[string]string{"etc/ssh/sshd_config": include, "etc/ssh/sshd_config.d/50-cloud-init.conf": "PasswordAuthentication no\n"}, dropIn},
		"no directory":     {map[string]string{"etc/ssh/sshd_config": include}, dropIn},
		"vendor's":         {map[string]string{"usr/etc/ssh/sshd_config": include}, dropIn},
		"no Include":       {map[string]string{"etc/ssh/sshd_config": "PasswordAuthentication no\nMatch Group nobody\nPermitTTY no"}, "/etc/ssh/sshd_config"},
		"Include in Match": {map[string]string{"etc/ssh/sshd_config": "PasswordAuthentication no\nMatch Address 10.0.0.0/8\n" + include + "Match all\n"}, "/etc/ssh/sshd_config"},
	} {
		t.Run(title, func(t *testing.T) {
			t.Parallel()
			made := tree.New(t, withPeople(c.files))
			root := open(t, made)
			for range 2 { // and again, as on an installed machine
				s, err := Read(root)
				must(t, err)
				must(t, s.CheckAllow(root))
				file, err := s.AllowPasswords(root, []etc.User{rootUser, annUser})
				must(t, err)
				if file != c.file {
					t.Errorf("changed %s, want %s", file, c.file)
				}
			}
			s, err := Read(root)
			must(t, err)
			for _, u := range []etc.User{rootUser, annUser} {
				if p := s.Policy(u, []string{u.Name}); p.Password.Access == Refused {
					t.Errorf("%s: %+v", u.Name, p)
				}
			}
			if p := s.Policy(bob, nil); p.Password.Access != Refused {
				t.Errorf("bob: %+v", p)
			}
			if text := made.Content(t, c.file); strings.Count(text, "Match User ann") != 1 {
				t.Errorf("%s:\n%s", c.file, text)
			}
		})
	}
}

// TestAllowLater lets in a second user in a later run, which takes nothing from the first one
// and nothing that an administrator wrote meanwhile.
func TestAllowLater(t *testing.T) {
	t.Parallel()
	bob := etc.User{Name: "bob", UID: 1001}
	for _, config := range []string{"Include /etc/ssh/sshd_config.d/*.conf\nPasswordAuthentication no\n", "PasswordAuthentication no\n"} {
		made := tree.New(t, withPeople(map[string]string{"etc/ssh/sshd_config": config}))
		root := open(t, made)
		var file string
		for n, u := range []etc.User{annUser, bob} {
			s, err := Read(root)
			must(t, err)
			file, err = s.AllowPasswords(root, []etc.User{u})
			must(t, err)
			if n == 0 {
				must(t, root.Edit(file, func(old []byte) ([]byte, error) { return append(old, "Match User eve\n\tX11Forwarding no\n"...), nil }))
			}
		}
		s, err := Read(root)
		must(t, err)
		for _, u := range []etc.User{annUser, bob} {
			if p := s.Policy(u, nil); p.Password.Access != Allowed {
				t.Errorf("%s: %s: %+v", file, u.Name, p.Password)
			}
		}
		if text := made.Content(t, file); !strings.Contains(text, "Match User eve\n\tX11Forwarding no\n") {
			t.Errorf("%s lost what was added to it:\n%s", file, text)
		}
	}
}

// TestAllowedAsSSHDSays has sshd say that it takes the passwords now.
func TestAllowedAsSSHDSays(t *testing.T) {
	t.Parallel()
	needsSSHD(t)
	for _, files := range []map[string]string{
		{"etc/ssh/sshd_config": "Include /etc/ssh/sshd_config.d/*.conf\nPasswordAuthentication no\n", "etc/ssh/sshd_config.d/60-x.conf": "Match all\nPasswordAuthentication no\n"},
		{"etc/ssh/sshd_config": "PasswordAuthentication no\n"},
	} {
		made := tree.New(t, withPeople(files))
		s, err := Read(open(t, made))
		must(t, err)
		_, err = s.AllowPasswords(open(t, made), []etc.User{rootUser, annUser})
		must(t, err)
		for user, want := range map[string]string{"root": "yes yes", "ann": "yes without-password", "bob": "no without-password"} {
			printed := effective(t, made, s.main)[user]
			if got := printed["passwordauthentication"][0] + " " + printed["permitrootlogin"][0]; got != want {
				t.Errorf("%s: %s, want %s", user, got, want)
			}
		}
	}
}

func TestQuoteUser(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{"ann": "ann", "Ann-1.x_$": "Ann-1.x_$", "a*": `"a?"`, "!x": `"?x"`} {
		if got := quoteUser(name); got != want {
			t.Errorf("quoteUser(%q) = %s, want %s", name, got, want)
		}
	}
}
