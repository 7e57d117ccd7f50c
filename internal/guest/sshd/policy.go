package sshd

import (
	"slices"
	"strings"

	"snf-image/internal/guest/etc"
)

// Access is what a policy lets a user do.
type Access int

// The degrees of Access. Some connections alone are let in where a Match block or a pattern
// asks for the address they come from.
const (
	Refused Access = iota
	Sometimes
	Allowed
)

// Verdict reports whether a way to log in is open to a user. Because says what decides it,
// with file and line, unless it is Allowed.
type Verdict struct {
	Access  Access
	Because string
}

// Policy is what the server lets a user do.
type Policy struct {
	Password Verdict // also by asking for it by keyboard-interactive and PAM
	Keys     Verdict
}

// judge gathers why a user is refused, or is not sure to be let in.
type judge struct {
	*login
	server  Server
	user    etc.User
	verdict Verdict
}

// Policy returns what the server lets a user of those groups do, sshd_config(5). The account
// itself may be locked besides.
func (s Server) Policy(user etc.User, groups []string) Policy {
	j := &judge{login: newLogin(user.Name, groups), server: s, user: user, verdict: Verdict{Access: Allowed}}
	j.checkLists()
	admitted := j.verdict
	j.checkPassword(s.PAM())
	password := j.verdict
	j.verdict = admitted
	j.checkKeys()
	return Policy{Password: password, Keys: j.verdict}
}

// lower makes the verdict worse, if it is not as bad already.
func (j *judge) lower(access Access, because string) {
	if access < j.verdict.Access {
		j.verdict = Verdict{access, because}
	}
}

// get returns the first argument for the user in lower case, and where it stands.
func (j *judge) get(missing string, keywords ...string) (value, where string) {
	args, from, unsure := j.server.value(j.login, keywords...)
	if unsure != "" {
		j.lower(Sometimes, unsure)
	}
	if len(args) == 0 {
		return missing, names[keywords[0]] + " " + missing + ", which is the default"
	}
	return strings.ToLower(args[0]), from.where()
}

// flag is get for yes and no.
func (j *judge) flag(missing string, keywords ...string) (bool, string) {
	value, where := j.get(missing, keywords...)
	return value == "yes", where
}

// checkPassword judges logging in with the password.
func (j *judge) checkPassword(pam bool) {
	j.checkRoot("yes")
	password, where := j.flag("yes", "passwordauthentication")
	interactive, _ := j.flag("yes", "kbdinteractiveauthentication", "challengeresponseauthentication", "skeyauthentication")
	interactive = interactive && pam
	if !password && !interactive {
		j.lower(Refused, where)
	}
	j.checkMethods(func(method string) bool {
		return password && method == "password" || interactive && (method == "keyboard-interactive" || method == "keyboard-interactive:pam")
	})
}

// checkKeys judges logging in with an authorized key.
func (j *judge) checkKeys() {
	j.checkRoot("yes", "prohibit-password", "without-password")
	if enabled, where := j.flag("yes", "pubkeyauthentication"); !enabled {
		j.lower(Refused, where)
	}
	j.checkMethods(func(method string) bool { return method == "publickey" })
}

// checkRoot refuses root unless PermitRootLogin is one of the words.
func (j *judge) checkRoot(words ...string) {
	if j.user.UID != 0 {
		return
	}
	if value, where := j.get("prohibit-password", "permitrootlogin"); !slices.Contains(words, value) {
		j.lower(Refused, where)
	}
}

// checkMethods refuses the user where AuthenticationMethods asks for more than the method
// alone.
func (j *judge) checkMethods(enough func(method string) bool) {
	lists, from, unsure := j.server.value(j.login, "authenticationmethods")
	if unsure != "" {
		j.lower(Sometimes, unsure)
	}
	if len(lists) == 0 || strings.EqualFold(lists[0], "any") || slices.ContainsFunc(lists, enough) {
		return
	}
	j.lower(Refused, from.where())
}

// checkLists applies DenyUsers, AllowUsers, DenyGroups and AllowGroups.
func (j *judge) checkLists() {
	for _, l := range []struct {
		keyword string
		allows  bool
		names   []string
	}{
		{"denyusers", false, []string{j.user.Name}},
		{"allowusers", true, []string{j.user.Name}},
		{"denygroups", false, j.groups},
		{"allowgroups", true, j.groups},
	} {
		j.checkList(l.keyword, l.allows, l.names)
	}
}

// checkList applies one of the lists: all lines of it that hold, those of Match blocks in
// place of the others.
func (j *judge) checkList(keyword string, allows bool, names []string) {
	lines := j.list(keyword)
	found, where := no, ""
	for _, line := range lines {
		for _, pattern := range line.args {
			if v := j.matches(pattern, names, strings.HasSuffix(keyword, "users")); v > found {
				found, where = v, line.where()
			}
		}
	}
	switch {
	case len(lines) == 0:
	case found == perhaps:
		j.lower(Sometimes, where)
	case allows && found == no:
		j.lower(Refused, lines[0].where())
	case !allows && found == yes:
		j.lower(Refused, where)
	}
}

// list returns the lines of a list that hold for the user.
func (j *judge) list(keyword string) []setting {
	var global, conditional []setting
	for _, c := range j.server.settings {
		if c.keyword != keyword {
			continue
		}
		verdict, line := c.holds(j.login)
		switch {
		case verdict == perhaps:
			j.lower(Sometimes, line.String())
		case verdict == no:
		case len(c.conditions) > 0:
			conditional = append(conditional, c)
		default:
			global = append(global, c)
		}
	}
	if len(conditional) > 0 {
		return conditional
	}
	return global
}

// matches reports whether a pattern of a list matches one of the names. Of USER@HOST the
// host is known to the server alone.
func (j *judge) matches(pattern string, names []string, users bool) verdict {
	name, _, withHost := strings.Cut(pattern, "@")
	if !users || !withHost {
		name, withHost = pattern, false
	}
	if !slices.ContainsFunc(names, func(n string) bool { return matchPattern(name, n) }) {
		return no
	}
	if withHost {
		return perhaps
	}
	return yes
}

// PAM reports whether the server asks PAM about accounts: one whose password is locked may
// log in by key then.
func (s Server) PAM() bool {
	args, _, _ := s.value(newLogin("", nil), "usepam")
	return len(args) > 0 && strings.EqualFold(args[0], "yes")
}
