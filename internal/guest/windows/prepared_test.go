package windows

import (
	"strings"
	"testing"

	"snf-image/internal/guest/windows/script"
	"snf-image/internal/spec"
	"snf-image/tests/guest"
)

// TestInjectPrepared: a SetupComplete.cmd of the personality does not take the place of what cleans
// up behind the set-up; of what an answer file loses there is a warning.
func TestInjectPrepared(t *testing.T) {
	t.Parallel()
	const complete = `C:\windows\SETUP\scripts\setupcomplete.CMD`
	for _, c := range []struct {
		system System
		answer string
		wiped  string
	}{
		{server2019, `C:\Windows\Panther\Unattend\UNATTEND.xml`, `\Windows\Panther\Unattend\unattend.xml`},
		{server2019, "/autounattend.xml", `\autounattend.xml`},
		{server2019, `/Windows/Setup/../unattend.xml/../../unattend.xml`, `\unattend.xml`},
		{System{Major: 5, Minor: 1}, `C:\sysprep\sysprep.inf`, `\sysprep\sysprep.inf`},
	} {
		g := deployedBefore(t, c.system)
		guest.Check(t, Inject(g.Guest, c.system, []spec.File{{Path: complete, Contents: []byte("echo given\nexit")}, {Path: c.answer, Contents: []byte("x")}}, now))
		text := g.Content(t, "windows/SETUP/scripts/setupcomplete.CMD")
		for _, part := range []string{"\r\necho given\r\nexit\r\n", `call :snf_wipe "%SNF%\ChangeAdminPassword.cmd"`, `call :snf_wipe "%SystemDrive%` + c.wiped + `"`} {
			if !strings.Contains(text, part) {
				t.Errorf("no %q in:\n%s", part, text)
			}
		}
		if w := *g.Warnings; len(w) != 1 || !strings.Contains(w[0], c.answer) || !strings.Contains(w[0], "os_answer_file") {
			t.Errorf("%s: warnings %q", c.answer, w)
		}
		if !waiting(g.Root) {
			t.Error("nothing is prepared any more")
		}
	}
	g := deployedBefore(t, server2019)
	guest.Check(t, Inject(g.Guest, server2019, []spec.File{{Path: `C:\Windows\SNFSCRIPTS\changeadminpassword.cmd`}}, now))
	if w := *g.Warnings; len(w) != 1 || !strings.Contains(w[0], "the script with passwords") {
		t.Errorf("the script with passwords: warnings %q", w)
	}
	g = legacy(t, nil, sealed)
	guest.Check(t, Inject(g.Guest, server2019, []spec.File{{Path: complete, Contents: []byte("echo given\n")}, {Path: "/unattend.xml"}}, now))
	if got := g.Content(t, "windows/SETUP/scripts/setupcomplete.CMD"); got != "echo given\n" || len(*g.Warnings) > 0 {
		t.Errorf("nothing is prepared: %q, %q", got, *g.Warnings)
	}
}

// TestPasswordsDue gives one account a password where that of another is due at the first boot.
func TestPasswordsDue(t *testing.T) {
	t.Parallel()
	for _, living := range []bool{true, false} {
		g := deployedBefore(t, server2019)
		guest.Check(t, SetPasswords(g.Guest, server2019, []string{"Verwalter", "Gast"}, "Geheim&1"))
		g.Living = living
		guest.Check(t, SetPasswords(g.Guest, server2019, []string{"anna", "GAST"}, "Geheim&2"))
		text := g.Content(t, script.Passwords)
		for part, want := range map[string]bool{`^"Verwalter^" ^"Geheim^&1^"`: living, `^"Gast^"`: false, `^"GAST^" ^"Geheim^&2^"`: true, `^"anna^" ^"Geheim^&2^"`: true} {
			if strings.Contains(text, part) != want {
				t.Errorf("living %v, %s: %v\n%s", living, part, !want, text)
			}
		}
	}
}
