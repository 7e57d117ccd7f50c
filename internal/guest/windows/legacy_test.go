package windows

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"snf-image/tests/guest"
	"snf-image/tests/hive"
)

// legacy makes a guest of Windows XP.
func legacy(t *testing.T, files map[string]string, setup string) guest.Guest {
	t.Helper()
	all := map[string]string{
		"Windows/System32/config/SYSTEM": string(hive.New(t, "[HIVE\\Select]\n\"Current\"=dword:00000001\n\n[HIVE\\ControlSet001\\Control]\n\n[HIVE\\Setup]\n"+setup)),
		"Windows/System32/config/SAM":    string(hive.New(t, samText)),
	}
	for p, text := range files {
		all[p] = text
	}
	return guest.New(t, all)
}

const sealed = "\"SystemSetupInProgress\"=dword:00000001\n\"MiniSetupInProgress\"=dword:00000001\n"

func TestInstallLegacy(t *testing.T) {
	t.Parallel()
	g := legacy(t, map[string]string{"sysprep/sysprep.inf": "[unattended]\ninstallfilespath=c:\\sysprep\\files\n"}, sealed)
	a := Answers{Zone: "W. Europe Standard Time", ProductKey: "aaaaa-bbbbb-ccccc-ddddd-eeeee"}
	guest.Check(t, InstallLegacy(g.Guest, a, now))
	guest.Check(t, SetNameLegacy(g.Guest, "xp1.example.org"))
	guest.Check(t, SetPasswords(g.Guest, System{Major: 5, Minor: 1}, []string{"anna"}, "x"))
	want := "[unattended]\ninstallfilespath=c:\\sysprep\\files\n[GuiUnattended]\nTimeZone=110\nAdminPassword=*\nEncryptedAdminPassword=No\n[UserData]\nProductKey=AAAAA-BBBBB-CCCCC-DDDDD-EEEEE\nComputerName=xp1\n"
	if diff := cmp.Diff(want, g.Content(t, "sysprep/sysprep.inf")); diff != "" {
		t.Errorf("sysprep.inf (-want +got):\n%s", diff)
	}
	commands := g.Content(t, "sysprep/files/$OEM$/CmdLines.txt")
	if want := "[Commands]\r\n\"cmd /c C:\\Windows\\SnfScripts\\ChangeAdminPassword.cmd\"\r\n\"diskpart /s C:\\Windows\\SnfScripts\\ExtendFilesystem\"\r\n\"cmd /c C:\\Windows\\Setup\\Scripts\\SetupComplete.cmd\"\r\n"; commands != want {
		t.Errorf("CmdLines.txt: %q", commands)
	}
	if text := g.Content(t, "Windows/Setup/Scripts/SetupComplete.cmd"); !strings.Contains(text, `"%SystemDrive%\sysprep\sysprep.inf"`) {
		t.Error(text)
	}
	err := SetPasswords(g.Guest, System{Major: 5, Minor: 1}, []string{"anna"}, "пароль")
	if err == nil || !strings.Contains(err.Error(), "ASCII") || strings.Contains(err.Error(), "пароль") {
		t.Errorf("a password that net.exe of XP does not take: %v", err)
	}
}

func TestInstallLegacyRefuses(t *testing.T) {
	t.Parallel()
	for _, c := range map[string]struct{ setup, inf, zone, want string }{
		"not sealed":    {"\"SystemSetupInProgress\"=dword:00000001\n", "", "UTC", "MiniSetupInProgress"},
		"in use":        {"\"SystemSetupInProgress\"=dword:00000000\n", "", "UTC", "SystemSetupInProgress"},
		"younger zone":  {sealed, "", "UTC", "UTC\" is not one of Windows XP"},
		"other place":   {sealed, "[Unattended]\nInstallFilesPath=D:\\x\n", "GMT Standard Time", "InstallFilesPath"},
		"strange place": {sealed, "[Unattended]\nInstallFilesPath=C:\\sysprep\\nul\n", "GMT Standard Time", "nul"},
		"not a text":    {sealed, "\x00", "GMT Standard Time", "not a text"},
	} {
		files := map[string]string{}
		if c.inf != "" {
			files["sysprep/sysprep.inf"] = c.inf
		}
		refusesLegacy(t, legacy(t, files, c.setup), Answers{Zone: c.zone}, c.want)
	}
	const list = "sysprep/i386/$OEM$/CmdLines.txt"
	for want, files := range map[string]map[string]string{
		`completing C:\sysprep\i386\$OEM$\CmdLines.txt: unusable file of the set-up: it is not a text`: {list: "[Commands]\x00"},
		"it is a directory":  {list + "/x": ""},
		"is not a directory": {"sysprep/i386": "a file"},
		`C:\sysprep is not`:  {"sysprep": "a file"},
	} {
		refusesLegacy(t, legacy(t, files, sealed), Answers{Zone: "GMT Standard Time"}, want)
	}
}

// refusesLegacy expects an error before anything is written.
func refusesLegacy(t *testing.T, g guest.Guest, a Answers, want string) {
	t.Helper()
	if err := InstallLegacy(g.Guest, a, now); err == nil || !strings.Contains(err.Error(), want) || len(g.Root.Changed()) > 0 {
		t.Errorf("error %v, want %q; %q was changed", err, want, g.Root.Changed())
	}
	if err := CheckInstall(t.Context(), g.Root, System{Major: 5, Minor: 1}, a); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("beforehand: error %v, want %q", err, want)
	}
}

// TestIgnoreLegacy keeps the sysprep.inf that is not to be used.
func TestIgnoreLegacy(t *testing.T) {
	t.Parallel()
	g := legacy(t, map[string]string{"sysprep/sysprep.inf": "own"}, sealed)
	guest.Check(t, InstallLegacy(g.Guest, Answers{Zone: "GMT Standard Time", Ignore: true}, now))
	if got := g.Content(t, "sysprep/sysprep.inf"+kept); got != "own" {
		t.Errorf("the image's own is %q", got)
	}
	if got := g.Content(t, "sysprep/sysprep.inf"); !strings.Contains(got, "OemSkipEula") {
		t.Errorf("sysprep.inf is %q", got)
	}
}
