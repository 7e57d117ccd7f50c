package sshd

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"snf-image/internal/guest/etc"
	"snf-image/internal/guest/rootfs"
)

const (
	maxConfig     = 1 << 20 // bytes of one file
	maxKey        = 64 << 10
	maxIncluded   = 200 // files and patterns in all
	maxIncludeLen = 16  // depth, as in OpenSSH
	maxSettings   = 1000
	maxBytes      = 128 << 10 // of all arguments that are kept
)

// setting is a directive, in its place, with the Match lines under which it holds.
type setting struct {
	keyword    string
	args       []string
	conditions []*match
	file       string
	line       int
}

// where names the place of the setting.
func (s setting) where() string {
	return fmt.Sprintf("%s, line %d: %s", s.file, s.line, s.text())
}

// names are the usual spellings of the keywords that messages name.
var names = map[string]string{
	"passwordauthentication": "PasswordAuthentication", "kbdinteractiveauthentication": "KbdInteractiveAuthentication",
	"challengeresponseauthentication": "ChallengeResponseAuthentication", "permitrootlogin": "PermitRootLogin",
	"pubkeyauthentication": "PubkeyAuthentication", "authenticationmethods": "AuthenticationMethods", "usepam": "UsePAM",
	"allowusers": "AllowUsers", "denyusers": "DenyUsers", "allowgroups": "AllowGroups", "denygroups": "DenyGroups",
}

// keywords are the settings that are kept.
var keywords = append(slices.Collect(maps.Keys(names)), "hostkey", "authorizedkeysfile", "strictmodes", "skeyauthentication")

func (s setting) text() string {
	name := names[s.keyword]
	if name == "" {
		name = s.keyword
	}
	return strings.TrimSpace(name + " " + short(s.args))
}

// short joins arguments for a message.
func short(args []string) string {
	text := ""
	for _, a := range args {
		if text += " " + a[:min(len(a), maxShown+1)]; len(text) > maxShown {
			return strings.ToValidUTF8(text[1:maxShown], "") + "…"
		}
	}
	return strings.TrimSpace(text)
}

const maxShown = 200

// reader gathers the settings in the order in which the server reads them.
type reader struct {
	root     *rootfs.Root
	files    int
	bytes    int // of the arguments that are kept
	settings []setting
	included map[string]bool
}

// read takes in one file and, in their places, those it includes. What it holds
// counts under the conditions of the Match lines before the Include; a Match line
// ends with its file.
func (r *reader) read(p string, depth int, outer []*match) error {
	if r.files++; r.files > maxIncluded || depth > maxIncludeLen {
		return fmt.Errorf("reading %s: included too deep or too often", p)
	}
	data, err := r.root.ReadFile(p, maxConfig)
	if err != nil {
		return err
	}
	conditions := outer
	for _, d := range etc.ParseSSHD(data) {
		if d.Keyword == "match" || slices.Contains(keywords, d.Keyword) {
			r.bytes += len(strings.Join(d.Args, " "))
		}
		if r.bytes > maxBytes {
			return fmt.Errorf("reading %s: more than %d KiB of settings", p, maxBytes>>10)
		}
		switch {
		case len(d.Args) == 0:
		case d.Keyword == "match":
			conditions = append(slices.Clip(outer), &match{d.Args})
		case d.Keyword == "include":
			if err := r.include(d.Args, depth+1, conditions); err != nil {
				return err
			}
		case !slices.Contains(keywords, d.Keyword):
		case len(r.settings) < maxSettings:
			r.settings = append(r.settings, setting{d.Keyword, d.Args, conditions, p, d.Line})
		default:
			return fmt.Errorf("reading %s: more than %d settings", p, maxSettings)
		}
	}
	return nil
}

func (r *reader) include(patterns []string, depth int, conditions []*match) error {
	for _, pattern := range patterns {
		if !strings.HasPrefix(pattern, "/") {
			pattern = Dir + "/" + pattern
		}
		if r.files++; r.files > maxIncluded {
			return fmt.Errorf("reading %s: included too often", pattern)
		}
		if len(conditions) == 0 {
			r.included[pattern] = true
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

// hostKeys returns the keys that the server loads. HostKey cannot stand in a Match block.
func (r *reader) hostKeys() []HostKey {
	var keys []HostKey
	for _, s := range r.settings {
		if s.keyword != "hostkey" || len(s.conditions) > 0 || len(keys) >= maxIncluded {
			continue
		}
		p := path.Clean("/" + s.args[0]) // servers are started in the root directory
		if slices.ContainsFunc(keys, func(k HostKey) bool { return k.Path == p }) {
			continue
		}
		k := HostKey{Path: p, Type: r.typeOf(p)}
		if k.Obsolete = k.Type == dsaType; !slices.Contains(hostKeyTypes, k.Type) {
			k.Type = ""
		}
		keys = append(keys, k)
	}
	if len(keys) > 0 {
		return keys
	}
	for _, t := range hostKeyTypes {
		keys = append(keys, HostKey{Path: Dir + "/ssh_host_" + t + "_key", Type: t})
	}
	return keys
}

// value returns the arguments that hold for a user, and the setting they come from: the first
// one in a Match block that applies, else the first one outside of all. Unsure is the Match
// line of a block that would change it for some connections only. For the empty user the
// settings outside of Match blocks count.
func (s Server) value(l *login, keywords ...string) (args []string, from setting, unsure string) {
	for _, conditional := range []bool{true, false} {
		if conditional && l.user == "" {
			continue
		}
		for _, c := range s.settings {
			if len(c.conditions) > 0 != conditional || !slices.Contains(keywords, c.keyword) {
				continue
			}
			switch verdict, line := c.holds(l); verdict {
			case yes:
				return c.args, c, unsure
			case perhaps:
				if unsure == "" {
					unsure = line.String()
				}
			}
		}
	}
	return nil, setting{}, unsure
}

// holds reports whether all conditions of the setting hold, and which does not.
func (s setting) holds(l *login) (verdict, *match) {
	result, line := yes, (*match)(nil)
	for _, m := range s.conditions {
		if v := l.holds(m); v < result {
			result, line = v, m
		}
	}
	return result, line
}
