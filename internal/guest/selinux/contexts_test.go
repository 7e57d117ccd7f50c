package selinux

import (
	"errors"
	"io/fs"
	"strings"
	"testing"
)

// rules, subs and dist are looked up below by matchpathcon(8) of libselinux 3.4 and 3.8.1,
// which is where the labels come from.
const rules = `# a comment

/.*	system_u:object_r:default_t:s0
/etc/motd	--	system_u:object_r:base_t:s0
/etc/x(/.*)?	system_u:object_r:basex_t:s0
/etc/a|/etc/b	system_u:object_r:alt_t:s0
/aa|/bb	system_u:object_r:alt2_t:s0
/a	system_u:object_r:a_t:s0
/b	system_u:object_r:b_t:s0
/z/f	system_u:object_r:zf_t:s0
/z/.*	system_u:object_r:zany_t:s0
/z2/[^/]+/f	-d	system_u:object_r:z2f_t:s0
/z2/.*	system_u:object_r:z2any_t:s0
/lit\.x	system_u:object_r:lit_t:s0
/foo\.d/x	system_u:object_r:food_t:s0
/tmp/.*	<<none>>
/dev/[^/]*	-c	system_u:object_r:chr_t:s0
/dev/[^/]*	-b	system_u:object_r:blk_t:s0
/dev/[^/]*	-l	system_u:object_r:lnk_t:s0
/dev/[^/]*	-s	system_u:object_r:sock_t:s0
/dev/[^/]*	-p	system_u:object_r:fifo_t:s0
`

const (
	homedirs = "/etc/motd\t--\tsystem_u:object_r:home_t:s0\n/etc/x/y\t-d\tsystem_u:object_r:homexy_t:s0\n"
	local    = "/etc/motd\t--\tsystem_u:object_r:local_t:s0\n/etc/x(/.*)?\tsystem_u:object_r:localx_t:s0\n"
	subs     = "# a comment\n/s1 /a\n/s1/t /b\n/s2/t /b\n/s2 /a\n/q /etc/motd\n"
	dist     = "/d1 /s2\n/a /etc/x\n/d3 /\n/d4/k /b\n/d4 /a\n/d5 /a\n/d5/k /b\n"
)

func parse(t *testing.T, firstWins bool) *Contexts {
	t.Helper()
	c, err := Definition{
		Contexts: []File{{"base", []byte(rules)}, {"homedirs", []byte(homedirs)}, {"local", []byte(local)}},
		Subs:     []byte(subs), Dist: []byte(dist), FirstWins: firstWins,
	}.Parse()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestLookup(t *testing.T) {
	t.Parallel()
	before, since := parse(t, false), parse(t, true)
	for _, c := range []struct {
		path        string
		kind        fs.FileMode
		old, recent string // recent is empty where it is the same
	}{
		{"/etc/motd", 0, "local", "base"}, // three rules for one path
		{"/etc/motd", fs.ModeDir, "default", ""},
		{"/etc/x/y", 0, "localx", ""},
		{"/etc/x/y", fs.ModeDir, "homexy", ""},
		{"/etc/x", 0, "localx", ""},
		{"/etc/a", 0, "alt", ""},
		{"/etc/b", 0, "alt", ""},
		{"/etc/aab", 0, "alt", ""}, // "^/etc/a" or "/etc/b$"
		{"/aa", 0, "alt2", ""},
		{"/bb", 0, "alt2", ""},
		{"/s1/t", 0, "b", "localx"},
		{"/s1", 0, "localx", ""},
		{"/s1/z", 0, "localx", ""},
		{"/s2/t", 0, "localx", "b"},
		{"/s2", 0, "localx", ""},
		{"/s22", 0, "default", ""},
		{"/d1", 0, "default", ""},
		{"/d1/t", 0, "default", ""},
		{"/q", 0, "local", "base"},
		{"/d3/etc/motd", 0, "local", "base"},
		{"/d3", 0, "default", ""},
		{"/d4/k", 0, "default", "b"},
		{"/d4", 0, "a", ""},
		{"/d5/k", 0, "b", "default"},
		{"/z/f", 0, "zf", ""},
		{"/z2/g/f", 0, "z2any", ""},
		{"/z2/g/f", fs.ModeDir, "z2any", ""},
		{"/lit.x", 0, "lit", ""},
		{"/litax", 0, "default", ""},
		{"/foo.d/x", 0, "food", ""},
		{"/tmp/x", 0, "", ""},
		{"/dev/x", fs.ModeDevice | fs.ModeCharDevice, "chr", ""},
		{"/dev/x", fs.ModeDevice, "blk", ""},
		{"/dev/x", fs.ModeSymlink, "lnk", ""},
		{"/dev/x", fs.ModeSocket, "sock", ""},
		{"/dev/x", fs.ModeNamedPipe, "fifo", ""},
		{"/dev/x", 0, "default", ""},
	} {
		recent := c.recent
		if recent == "" {
			recent = c.old
		}
		for what, x := range map[string]struct {
			contexts *Contexts
			want     string
		}{"before 3.8": {before, c.old}, "since 3.8": {since, recent}} {
			want := x.want
			if want != "" {
				want = "system_u:object_r:" + want + "_t:s0"
			}
			if got, err := x.contexts.Lookup(c.path, c.kind); got != want || err != nil {
				t.Errorf("%s: Lookup(%s, %v) = %q, %v, want %q", what, c.path, c.kind, got, err, want)
			}
		}
	}
}

// TestBytes holds "." to be one byte, whatever it belongs to.
func TestBytes(t *testing.T) {
	t.Parallel()
	c, err := Definition{Contexts: []File{{"base", []byte("/srv/..\tu:r:two_t\n/bin/x.y\tu:r:x_t\n")}}}.Parse()
	if err != nil {
		t.Fatal(err)
	}
	for p, want := range map[string]string{"/srv/é": "u:r:two_t", "/srv/a\xff": "u:r:two_t", "/srv/a": "", "/bin/x\ny": "u:r:x_t"} {
		if got, err := c.Lookup(p, 0); got != want || err != nil {
			t.Errorf("Lookup(%q) = %q, %v, want %q", p, got, err, want)
		}
	}
}

// TestUnknownExpression gives no label to a path that a rule could be about which Go's
// expressions do not know, and others theirs.
func TestUnknownExpression(t *testing.T) {
	t.Parallel()
	c, err := Definition{Contexts: []File{{"base", []byte("/.*\tu:r:all_t\n/srv/web(?!no).*\tu:r:web_t\n/etc/c++\tu:r:cpp_t\n")}}}.Parse()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range []string{"/etc/x", "/srv/mail"} {
		if got, err := c.Lookup(p, 0); got != "u:r:all_t" || err != nil {
			t.Errorf("Lookup(%s) = %q, %v, want u:r:all_t", p, got, err)
		}
	}
	if got, err := c.Lookup("/srv/web/x", 0); !errors.Is(err, ErrRule) || got != "" || !strings.Contains(err.Error(), "line 2 of base") {
		t.Errorf("Lookup(/srv/web/x) = %q, %v, want %v with its line", got, err, ErrRule)
	}
}

// TestLargeExpressions bounds what the expressions of a policy come to, each and all.
func TestLargeExpressions(t *testing.T) {
	t.Parallel()
	for title, c := range map[string]struct {
		lines string
		want  error
	}{
		"one":         {"/" + strings.Repeat("x{1000}", 100) + "\tu:r:t\n", errSize},
		"nested":      {"/((" + strings.Repeat("x", 100) + "){25}){40}\tu:r:t\n", errSize},
		"all":         {strings.Repeat("/x{1000}"+strings.Repeat("y{1000}", 10)+"\tu:r:t\n", 200), errSize},
		"no such":     {"/x{1000}\tu:r:t\n", nil},
		"of a policy": {strings.Repeat("/"+strings.Repeat("y", 100)+"(/.*)?\tu:r:t\n/[^/]*"+strings.Repeat("y", 100)+"(/.*)?\tu:r:t\n", 5000), nil},
	} {
		parsed, err := Definition{Contexts: []File{{"base", []byte(c.lines)}}}.Parse()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := parsed.Lookup("/z", 0); !errors.Is(err, c.want) || c.want != nil && !errors.Is(err, ErrRule) {
			t.Errorf("%s: %v, want %v", title, err, c.want)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	for _, line := range []string{"/x", "/x -q u:r:t", "/x u:r", "/x u::t", "/x -- u:r:t\x01", "/x -d", strings.Repeat("/", maxPattern+1) + " u:r:t"} {
		if _, err := (Definition{Contexts: []File{{"base", []byte("# one\n" + line)}}}).Parse(); err == nil || !strings.Contains(err.Error(), "line 2 of base") {
			t.Errorf("Parse(%.40q) = %v, want an error about line 2", line, err)
		}
	}
}

func TestRestored(t *testing.T) {
	t.Parallel()
	c := parse(t, false)
	c.customizable = map[string]bool{"public_content_t": true}
	for _, x := range []struct{ path, label, want string }{
		{"/b", "unconfined_u:object_r:b_t:s0:c1", ""},
		{"/b", "system_u:object_r:a_t:s0", "system_u:object_r:b_t:s0"},
		{"/b", "system_u:object_r:public_content_t:s0", ""},
		{"/tmp/x", "system_u:object_r:a_t:s0", ""},
		{"/b", "nonsense", "system_u:object_r:b_t:s0"},
	} {
		if got, err := c.Restored(x.path, 0, x.label); got != x.want || err != nil {
			t.Errorf("Restored(%s, %s) = %q, %v, want %q", x.path, x.label, got, err, x.want)
		}
	}
}

func FuzzContexts(f *testing.F) {
	f.Add([]byte(rules), []byte(subs), "/etc/motd")
	f.Add([]byte("/a{1000}{1000}(x|y*)*z\\\tu:r:t\n/\\\tu:r:t"), []byte("/ /\n/x"), "/aaaa")
	f.Fuzz(func(t *testing.T, data, subs []byte, p string) {
		c, err := Definition{Contexts: []File{{"x", data}}, Subs: subs, Dist: subs}.Parse()
		if err != nil {
			return
		}
		label, err := c.Lookup(p, 0)
		if label != "" && (err != nil || !validLabel(label)) {
			t.Errorf("Lookup(%q) = %q, %v", p, label, err)
		}
	})
}
