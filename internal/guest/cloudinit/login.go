package cloudinit

import (
	"regexp"
	"slices"
	"strings"

	"snf-image/internal/spec"
)

// Login is what users get.
type Login struct {
	// Users are those that the image has, Missing those that it has not: cloud-init makes them
	// as its default user.
	Users, Missing []string
	Hashes         map[string]spec.Secret
	Keys           []string
	// AllowSSH has the SSH server take the passwords.
	AllowSSH bool
}

// user is an entry of the list of users.
type account struct {
	Name         string   `yaml:"name"`
	Gecos        string   `yaml:"gecos,omitempty"`
	PrimaryGroup string   `yaml:"primary_group,omitempty"`
	NoUserGroup  bool     `yaml:"no_user_group,omitempty"`
	Groups       list     `yaml:"groups,omitempty,flow"`
	Sudo         any      `yaml:"sudo,omitempty"`
	Doas         list     `yaml:"doas,omitempty"`
	Shell        string   `yaml:"shell,omitempty"`
	Lock         *bool    `yaml:"lock_passwd,omitempty"`
	Hash         string   `yaml:"hashed_passwd,omitempty"`
	Keys         []string `yaml:"ssh_authorized_keys,omitempty"`
}

// loginSettings are the settings of ChangePassword. The hashes stand at the users and, since
// user-data may bring another list of those, in chpasswd, too.
type loginSettings struct {
	AllowSSH    bool      `yaml:"ssh_pwauth,omitempty"`
	DisableRoot *bool     `yaml:"disable_root,omitempty"`
	Chpasswd    *chpasswd `yaml:"chpasswd,omitempty"`
	Users       entries   `yaml:"users,omitempty"`
	SystemInfo  *struct {
		DefaultUser struct {
			Lock bool `yaml:"lock_passwd"`
		} `yaml:"default_user"`
	} `yaml:"system_info,omitempty"`
}

type chpasswd struct {
	Expire bool     `yaml:"expire"`
	List   []string `yaml:"list,omitempty"`
	Users  []hashed `yaml:"users,omitempty"`
}

type hashed struct {
	Name string `yaml:"name"`
	Hash string `yaml:"password"`
	Type string `yaml:"type"`
}

// SetLogin has cloud-init make the users that are missing and give all of them their passwords.
// Keys of users that the image has are not its business.
func (d Datasource) SetLogin(l Login) error {
	var s loginSettings
	all := append(slices.Clone(l.Users), l.Missing...)
	if slices.Contains(all, "root") {
		s.DisableRoot = new(bool)
	}
	for _, name := range all {
		if u, listed := d.user(l, name); listed {
			s.Users = append(s.Users, u)
		}
		hash, set := l.Hashes[name]
		if set && d.makes(l, name) && opens(hash) {
			s.SystemInfo = new(struct {
				DefaultUser struct {
					Lock bool `yaml:"lock_passwd"`
				} `yaml:"default_user"`
			})
		}
		s.AllowSSH = s.AllowSSH || set && l.AllowSSH && opens(hash)
	}
	switch {
	case !d.settled && len(s.Users) > 0: // of two entries for a user the first counts
		s.Users = append(s.Users, d.Config.Users...)
	case d.settled && slices.ContainsFunc(l.Missing, d.Makes):
		s.Users = append(s.Users, "default")
	}
	if l.Hashes != nil {
		s.Chpasswd = d.passwords(l, all)
	}
	if err := d.joinLogin(l, &s); err != nil {
		return err
	}
	return d.put(spec.ChangePassword, "", s)
}

// Makes reports whether cloud-init makes a user of that name without being told.
func (d Datasource) Makes(name string) bool {
	u := d.Config.SystemInfo.DefaultUser
	return u != nil && u.Name == name && d.Config.Users.has("default")
}

// makes reports whether a user is made, or found, as the image's default user.
func (d Datasource) makes(l Login, name string) bool {
	return d.Makes(name) && (!d.settled || slices.Contains(l.Missing, name))
}

// user returns the entry of a user, and whether it needs one. Without a password nothing is
// said about one: cloud-init warns then, and is "degraded". An account is locked without its
// hash, which newer versions of chpasswd refuse.
func (d Datasource) user(l Login, name string) (account, bool) {
	hash, set := l.Hashes[name]
	u := account{Name: name}
	missing := slices.Contains(l.Missing, name)
	if like := d.Config.SystemInfo.DefaultUser; missing && !d.makes(l, name) {
		u.Keys = l.Keys
		if like != nil {
			u.PrimaryGroup, u.NoUserGroup, u.Groups, u.Sudo, u.Shell = like.PrimaryGroup, like.NoUserGroup, like.GroupNames(), like.sudo(), like.Shell
			u.Doas = like.DoasOf(name)
		}
	}
	if set && opens(hash) {
		u.Hash = hash.Reveal()
	}
	if set && !d.makes(l, name) {
		locked := !opens(hash)
		u.Lock = &locked
	}
	return u, set || missing && !d.makes(l, name)
}

// GroupNames returns the groups one by one.
func (u DefaultUser) GroupNames() []string {
	return strings.FieldsFunc(strings.Join(u.Groups, ","), func(c rune) bool { return c == ',' || c == ' ' })
}

// sudo returns the rules, a single one as a text: 22.4 takes a list of them with a warning.
func (u DefaultUser) sudo() any {
	switch len(u.Sudo) {
	case 0:
		return nil
	case 1:
		return u.Sudo[0]
	}
	return u.Sudo
}

// DoasOf returns the rules of the default user for another one: they name it.
func (u DefaultUser) DoasOf(name string) []string {
	var rules []string
	for _, rule := range u.Doas {
		words := strings.Fields(rule)
		if n := slices.Index(words, u.Name); n > 0 {
			words[n] = name
			rules = append(rules, strings.Join(words, " "))
		}
	}
	return rules
}

// opens reports whether somebody can log in with a password hash.
func opens(hash spec.Secret) bool {
	return !strings.HasPrefix(hash.Reveal(), "!") && !strings.HasPrefix(hash.Reveal(), "*")
}

// listable matches the hashes that old versions know in their list. They take any other text
// for the password itself.
var listable = regexp.MustCompile(`^\$(1|2a|2y|5|6)\$.+\$.+`)

// passwords returns the hashes in the form that this cloud-init takes without a warning.
func (d Datasource) passwords(l Login, users []string) *chpasswd {
	c := &chpasswd{}
	newer := knowsHashLists(d.guest.Root)
	for _, name := range users {
		hash, ok := l.Hashes[name]
		switch {
		case !ok, !opens(hash):
		case newer:
			c.Users = append(c.Users, hashed{name, hash.Reveal(), "hash"})
		case listable.MatchString(hash.Reveal()):
			c.List = append(c.List, name+":"+hash.Reveal())
		}
	}
	return c
}
