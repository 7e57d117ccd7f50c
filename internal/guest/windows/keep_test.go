package windows

import (
	"strings"
	"testing"

	"snf-image/internal/guest/rootfs"
	"snf-image/internal/guest/windows/answer"
	"snf-image/internal/guest/windows/script"
	"snf-image/internal/guest/windows/sysprep"
	"snf-image/tests/guest"
)

const (
	oldKey = "AAAAA-BBBBB-CCCCC-DDDDD-EEEEE"
	newKey = "VVVVV-WWWWW-XXXXX-YYYYY-ZZZZZ"
)

// TestKeep gives a machine that was not started yet another answer file: what an earlier run has
// set and nothing sets now stays.
func TestKeep(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		given     string // "name key", nothing for the standard answer file
		a         Answers
		change    func(g *guest.Guest)
		name, key string
		warnings  []string
	}{
		"has neither":     {" ", Answers{}, nil, "web1", oldKey, nil},
		"leaves it open":  {"* ", Answers{}, nil, "web1", oldKey, nil},
		"standard":        {"", Answers{Ignore: true}, nil, "web1", oldKey, nil},
		"has its own":     {"db2 " + newKey, Answers{}, nil, "db2", newKey, []string{`computer "db2": the name web1`, "the product key of the answer file takes the place"}},
		"says the same":   {"WEB1 " + strings.ToLower(oldKey), Answers{}, nil, "WEB1", strings.ToLower(oldKey), nil},
		"set now":         {" ", Answers{Named: true, ProductKey: newKey}, nil, "", newKey, nil},
		"set now, beside": {"db2 " + oldKey, Answers{Named: true, ProductKey: newKey}, nil, "db2", newKey, nil},
		"a new machine":   {" ", Answers{}, func(g *guest.Guest) { g.Living = false }, "", "", nil},
		"complete": {" ", Answers{}, func(g *guest.Guest) {
			guest.Check(t, g.Root.Remove(script.Passwords))
		}, "", "", nil},
		"is gone": {" ", Answers{}, func(g *guest.Guest) {
			for _, p := range append(own(), SysprepInf) {
				if g.Root.Has(p) {
					guest.Check(t, g.Root.Remove(p))
				}
			}
		}, "", "", nil},
		"is damaged": {" ", Answers{}, func(g *guest.Guest) {
			for _, p := range append(own(), SysprepInf) {
				if g.Root.Has(p) {
					guest.Check(t, g.Root.WriteFile(p, []byte("\x00"), rootfs.Attr{Mode: 0o600}))
				}
			}
		}, "", "", []string{"is replaced, and cannot be read"}},
	} {
		for _, s := range []System{server2019, {Major: 5, Minor: 1}} {
			t.Run(name, func(t *testing.T) {
				g := deployedBefore(t, s)
				if c.change != nil {
					c.change(&g)
				}
				a := c.a
				a.Zone = "GMT Standard Time"
				if c.given != "" {
					a.Given = []byte(answerOf(s, c.given))
				}
				others := g.Root.Has(own()[0]) && !(g.Living && waiting(g.Root))
				guest.Check(t, installed(t, g, s, a))
				name, key := saysNow(t, g, s)
				if name != c.name || key != c.key {
					t.Errorf("NT %d: name %q, key %q, want %q, %q", s.Major, name, key, c.name, c.key)
				}
				if aside := g.Root.Has(own()[0] + kept); s.Major >= 6 && aside != others {
					t.Errorf("the former answer file was set aside: %v", aside)
				}
				if got := *g.Warnings; len(got) != len(c.warnings) {
					t.Errorf("NT %d: warnings %q, want %q", s.Major, got, c.warnings)
				}
				for i, w := range *g.Warnings {
					if !strings.Contains(w, c.warnings[i]) || strings.Contains(w, "AAAAA") || strings.Contains(w, "VVVVV") {
						t.Errorf("NT %d: warning %q, want %q", s.Major, w, c.warnings[i])
					}
				}
			})
		}
	}
}

// TestKeepForeign: a name and a key that we would not have set are those of an answer file that
// is given up.
func TestKeepForeign(t *testing.T) {
	t.Parallel()
	for _, foreign := range []string{"Größe", "1234", "web1.example.org"} {
		g := deployedBefore(t, server2019)
		guest.Check(t, g.Root.WriteFile(own()[0], []byte(answerOf(server2019, foreign+" %KEY%")), secret))
		guest.Check(t, installed(t, g, server2019, Answers{Given: []byte(answerOf(server2019, " "))}))
		if name, key := saysNow(t, g, server2019); name != "" || key != "" || len(*g.Warnings) > 0 {
			t.Errorf("%s: name %q, key %q, warnings %q", foreign, name, key, *g.Warnings)
		}
	}
}

// deployedBefore is a machine that was deployed as web1, with a product key, and not started since.
func deployedBefore(t *testing.T, s System) guest.Guest {
	t.Helper()
	g := legacy(t, nil, sealed)
	guest.Check(t, installed(t, g, s, Answers{Zone: "GMT Standard Time", ProductKey: oldKey}))
	if s.Major < 6 {
		guest.Check(t, SetNameLegacy(g.Guest, "web1.example.org"))
	} else {
		guest.Check(t, SetName(g.Guest, s, "web1.example.org"))
	}
	g.Living = true
	return g
}

func installed(t *testing.T, g guest.Guest, s System, a Answers) error {
	t.Helper()
	guest.Check(t, CheckInstall(t.Context(), g.Root, s, a))
	if s.Major < 6 {
		return InstallLegacy(g.Guest, a, now)
	}
	return Install(t.Context(), g.Guest, s, a, now)
}

// answerOf is an answer file with a name and a key, each of which may be missing.
func answerOf(s System, says string) string {
	name, key, _ := strings.Cut(says, " ")
	if s.Major < 6 {
		return strings.NewReplacer("ComputerName=\n", "", "ProductKey=\n", "").Replace("[UserData]\nComputerName=" + name + "\nProductKey=" + key + "\n")
	}
	return strings.NewReplacer("<ComputerName></ComputerName>", "", "<ProductKey></ProductKey>", "").Replace(
		`<unattend xmlns="urn:schemas-microsoft-com:unattend"><settings pass="specialize"><component name="Microsoft-Windows-Shell-Setup" processorArchitecture="amd64">` +
			"<ComputerName>" + name + "</ComputerName><ProductKey>" + key + "</ProductKey></component></settings></unattend>")
}

// saysNow returns what the answer file in force says.
func saysNow(t *testing.T, g guest.Guest, s System) (name, key string) {
	t.Helper()
	var err error
	if s.Major < 6 {
		name, key, err = sysprep.Identity([]byte(g.Content(t, SysprepInf)))
	} else {
		name, key, err = answer.Identity([]byte(g.Content(t, own()[0])), s.Architecture)
	}
	guest.Check(t, err)
	return name, key
}
