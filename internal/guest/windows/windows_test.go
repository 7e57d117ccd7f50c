package windows

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"snf-image/internal/guest/netconf"
	"snf-image/internal/guest/outcome"
	"snf-image/internal/guest/registry"
	"snf-image/internal/guest/windows/answer"
	"snf-image/internal/spec"
	"snf-image/tests/guest"
	"snf-image/tests/hive"
)

// now is when the tests run, for the names of what is kept.
var now = time.Date(2026, 11, 26, 8, 9, 10, 0, time.UTC)

const kept = ".bak.20261126.080910"

var server2019 = System{Architecture: "amd64", Major: 10}

const hiveText = `[HIVE\Select]
"Current"=dword:00000002

[HIVE\Setup]
"SystemSetupInProgress"=dword:00000001

[HIVE\ControlSet001\Control\Terminal Server]
"fDenyTSConnections"=dword:00000005

[HIVE\ControlSet002\Control\Terminal Server]
"fDenyTSConnections"=dword:00000000
"TSEnabled"=dword:00000001
`

const samText = `[HIVE\SAM\Domains\Account\Users\Names\Verwalter]
@=hex(1f4):

[HIVE\SAM\Domains\Account\Users\Names\Gast]
@=hex(1f5):

[HIVE\SAM\Domains\Account\Users\Names\anna]
@=hex(3e9):
`

// install makes a guest with the files and those every Windows has, and installs the answer
// file.
func install(t *testing.T, files map[string]string, a Answers, hiveLines string) (guest.Guest, error) {
	t.Helper()
	all := map[string]string{
		"Windows/System32/config/SYSTEM": string(hive.New(t, hiveText+hiveLines)), "Windows/System32/config/SAM": string(hive.New(t, samText)),
	}
	maps.Copy(all, files)
	g := guest.New(t, all)
	if a.Zone == "" {
		a.Zone = "gmt standard time"
	}
	return g, Install(t.Context(), g.Guest, server2019, a, now)
}

func unattendOf(text string) string {
	return `<unattend xmlns="urn:schemas-microsoft-com:unattend"><!-- ` + text + ` --></unattend>`
}

// TestInstall installs each kind of answer file, where others lie that must not win.
func TestInstall(t *testing.T) {
	t.Parallel()
	image := map[string]string{"unattend.xml": unattendOf("image's"), "Windows/Panther/unattend.xml": unattendOf("cached")}
	for name, c := range map[string]struct {
		files map[string]string
		a     Answers
		at    string
		holds string
		aside []string
	}{
		"ours":        {nil, Answers{}, "/unattend.xml", "<TimeZone>GMT Standard Time</TimeZone>", nil},
		"image's":     {image, Answers{Node: []byte(unattendOf("node's"))}, "/unattend.xml", "image's", []string{"/Windows/Panther/unattend.xml"}},
		"auto":        {map[string]string{"autounattend.xml": unattendOf("auto")}, Answers{}, "/autounattend.xml", "auto", nil},
		"both":        {map[string]string{"autounattend.xml": "x", "unattend.xml": unattendOf("one")}, Answers{}, "/unattend.xml", "one", []string{"/autounattend.xml"}},
		"given":       {image, Answers{Given: []byte(unattendOf("given"))}, "/unattend.xml", "given", []string{"/Windows/Panther/unattend.xml", "/unattend.xml"}},
		"node's":      {nil, Answers{Node: []byte(unattendOf("node's"))}, "/unattend.xml", "node's", nil},
		"ignored":     {image, Answers{Ignore: true, Node: []byte(unattendOf("node's"))}, "/unattend.xml", "node's", []string{"/Windows/Panther/unattend.xml", "/unattend.xml"}},
		"in sysprep":  {map[string]string{"Windows/System32/Sysprep/unattend.xml": "x"}, Answers{}, "/unattend.xml", "GMT", []string{"/Windows/System32/Sysprep/unattend.xml"}},
		"product key": {nil, Answers{ProductKey: "aaaaa-bbbbb-ccccc-ddddd-eeeee"}, "/unattend.xml", "<ProductKey>AAAAA-BBBBB-CCCCC-DDDDD-EEEEE</ProductKey>", nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g, err := install(t, c.files, c.a, "")
			if err != nil {
				t.Fatal(err)
			}
			want := append([]string{
				c.at, "/Windows/Setup", "/Windows/Setup/Scripts", "/Windows/Setup/Scripts/SetupComplete.cmd",
				"/Windows/SnfScripts", "/Windows/SnfScripts/ChangeAdminPassword.cmd", "/Windows/SnfScripts/ExtendFilesystem",
			}, c.aside...)
			for _, p := range c.aside {
				want = append(want, p+kept)
			}
			slices.Sort(want)
			want = slices.Compact(want) // what is set aside may be made anew
			if diff := cmp.Diff(want, g.Root.Changed()); diff != "" {
				t.Errorf("changed (-want +got):\n%s", diff)
			}
			text := g.Content(t, c.at)
			for _, part := range []string{c.holds, `cmd.exe /c C:\Windows\SnfScripts\ChangeAdminPassword.cmd`, `diskpart.exe /s C:\Windows\SnfScripts\ExtendFilesystem`} {
				if !strings.Contains(text, part) {
					t.Errorf("%s does not have %q:\n%s", c.at, part, text)
				}
			}
			if mode, _, _ := g.Owned(t, c.at); mode != 0o600 {
				t.Errorf("%s has mode %o", c.at, mode)
			}
			if text := g.Content(t, "Windows/Setup/Scripts/SetupComplete.cmd"); !strings.Contains(text, `"%SystemDrive%`+strings.ReplaceAll(c.at, "/", `\`)+`"`) {
				t.Errorf("SetupComplete does not remove %s:\n%s", c.at, text)
			}
			if text := g.Content(t, "Windows/SnfScripts/ExtendFilesystem"); text != "exit\r\n" {
				t.Errorf("ExtendFilesystem is %q", text)
			}
		})
	}
}

func TestInstallRefuses(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		a      Answers
		files  map[string]string
		remedy string
	}{
		"time zone": {Answers{Zone: "Europe/Athens"}, nil, "WINDOWS_TIMEZONE"},
		"damaged":   {Answers{}, map[string]string{"unattend.xml": "<unattend>"}, "correct that answer file"},
		"a link":    {Answers{}, map[string]string{"unattend.xml": "-> OUTSIDE/canary"}, "replace it by a plain file"},
		"directory": {Answers{}, map[string]string{"autounattend.xml": "DIR"}, "replace it by a plain file"},
		"its place": {Answers{Zone: "UTC", Ignore: true}, map[string]string{"unattend.xml": "DIR", "Windows/Panther/unattend.xml": "x"}, "remove it in that Windows"},
	} {
		g, err := install(t, c.files, c.a, "")
		var r *outcome.Remedied
		if !errors.As(err, &r) || !strings.Contains(r.Remedy, c.remedy) || len(g.Root.Changed()) > 0 {
			t.Errorf("%s: %v, %q was changed", name, err, g.Root.Changed())
		}
	}
	g := guest.New(t, map[string]string{"Windows/Setup/Scripts/SetupComplete.cmd": "-> OUTSIDE/canary"})
	if err := CheckInstall(t.Context(), g.Root, server2019, Answers{Zone: "UTC"}); err == nil || !strings.Contains(err.Error(), `SetupComplete.cmd is not a plain file`) {
		t.Errorf("a script that is a link: %v", err)
	}
	g = guest.New(t, map[string]string{"Windows/SnfScripts": "-> OUTSIDE"})
	if err := CheckInstall(t.Context(), g.Root, server2019, Answers{Zone: "UTC"}); err == nil || !strings.Contains(err.Error(), `C:\Windows\SnfScripts is not a directory, or is a link`) {
		t.Errorf("a directory that is a link: %v", err)
	}
	g = guest.New(t, nil)
	if err := SetName(g.Guest, server2019, "web1"); !errors.Is(err, ErrNoAnswer) {
		t.Errorf("without an answer file: %v", err)
	}
}

// TestUnattendFile has the registry name an answer file, which would win.
func TestUnattendFile(t *testing.T) {
	t.Parallel()
	g, err := install(t, nil, Answers{}, "\n[HIVE\\Setup]\n\"UnattendFile\"=\"D:\\\\x.xml\"\n")
	if err != nil {
		t.Fatal(err)
	}
	h, err := registry.Open(g.Root, hiveSystem)
	guest.Check(t, err)
	defer h.Close()
	if v, ok, err := h.Value("Setup", "UnattendFile"); ok || err != nil {
		t.Errorf("UnattendFile is %q, %v", v.Text(), err)
	}
	if v, ok, err := h.Value("Setup", "SystemSetupInProgress"); !ok || err != nil {
		t.Errorf("SystemSetupInProgress: %v, %v", v, err)
	}
}

func TestComputerName(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"web1": "web1", "web1.example.org": "web1", "WEB_1-a": "WEB_1-a", "fifteen-letters": "fifteen-letters", "1a": "1a",
		"sixteen-letters-": "", "12345": "", "12345.example.org": "", "": "", ".x": "", "a b": "", "ä": "",
	} {
		if got, err := ComputerName(name); got != want || (err == nil) != (want != "") {
			t.Errorf("ComputerName(%q) = %q, %v, want %q", name, got, err, want)
		}
	}
}

func TestPasswords(t *testing.T) {
	t.Parallel()
	local := `<unattend xmlns="urn:schemas-microsoft-com:unattend" xmlns:wcm="http://schemas.microsoft.com/WMIConfig/2002/State"><settings pass="oobeSystem">` +
		`<component name="Microsoft-Windows-Shell-Setup" processorArchitecture="amd64"><UserAccounts><LocalAccounts><LocalAccount wcm:action="add"><Name>web</Name></LocalAccount></LocalAccounts></UserAccounts>` +
		`<AutoLogon><Enabled>true</Enabled><Username>web</Username></AutoLogon></component></settings></unattend>`
	g, err := install(t, map[string]string{"unattend.xml": local}, Answers{}, "")
	if err != nil {
		t.Fatal(err)
	}
	if user, err := DefaultUser(g.Root); user != "Verwalter" || err != nil {
		t.Errorf("DefaultUser = %q, %v", user, err)
	}
	guest.Check(t, SetPasswords(g.Guest, server2019, []string{"ANNA", "Web"}, "Geheim&1"))
	text := g.Content(t, "Windows/SnfScripts/ChangeAdminPassword.cmd")
	for _, part := range []string{`user ^"ANNA^" ^"Geheim^&1^" /ACTIVE:YES`, `user ^"Web^"`} {
		if !strings.Contains(text, part) {
			t.Errorf("no %s in\n%s", part, text)
		}
	}
	if mode, _, _ := g.Owned(t, "Windows/SnfScripts/ChangeAdminPassword.cmd"); mode != 0o700 {
		t.Errorf("mode %o", mode)
	}
	if w := *g.Warnings; len(w) != 1 || !strings.Contains(w[0], "logs Web in") {
		t.Errorf("warnings: %q", w)
	}
	for _, user := range []string{"ann", "Administrator", "root", ""} {
		if err := SetPasswords(g.Guest, server2019, []string{user}, "x"); err == nil || !strings.Contains(err.Error(), "no user") {
			t.Errorf("user %q: %v", user, err)
		}
	}
}

// TestInstallAgain adds a product key to a machine that was not started yet: its password and
// the size of its file system are still to be set. A new machine gets neither.
func TestInstallAgain(t *testing.T) {
	t.Parallel()
	g, err := install(t, nil, Answers{}, "")
	if err != nil {
		t.Fatal(err)
	}
	for _, living := range []bool{true, false} {
		guest.Check(t, SetPasswords(g.Guest, server2019, []string{"anna"}, "Geheim&1"))
		guest.Check(t, Extend(g.Root, 4))
		g.Living = living
		guest.Check(t, Install(t.Context(), g.Guest, server2019, Answers{ProductKey: "AAAAA-BBBBB-CCCCC-DDDDD-EEEEE"}, now))
		password, extend := g.Content(t, "Windows/SnfScripts/ChangeAdminPassword.cmd"), g.Content(t, "Windows/SnfScripts/ExtendFilesystem")
		if strings.Contains(password, "Geheim") != living || strings.Contains(extend, "select partition 4") != living {
			t.Errorf("on an installed machine: %v\n%s\n%s", living, password, extend)
		}
	}
}

// TestRemoteDesktop refuses connections in the control set that starts, once.
func TestRemoteDesktop(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		answer, system, restores string
	}{
		"was allowed":       {"", "", "/d 0 /f"},
		"answer file":       {`<fDenyTSConnections>true</fDenyTSConnections>`, "", "/d 1 /f"},
		"allowed by that":   {`<fDenyTSConnections>false</fDenyTSConnections>`, "", "/d 0 /f"},
		"was not there":     {"", "\n[HIVE\\Select]\n\"Current\"=dword:00000003\n\n[HIVE\\ControlSet003\\Control]\n", "delete"},
		"allowed, no value": {`<fDenyTSConnections>0</fDenyTSConnections>`, "\n[HIVE\\Select]\n\"Current\"=dword:00000003\n\n[HIVE\\ControlSet003\\Control]\n", "/d 0 /f"},
	} {
		files := map[string]string{"Windows/SnfScripts/RemoteDesktop.cmd": "of an earlier attempt, or the image's"}
		if c.answer != "" {
			files["unattend.xml"] = `<unattend xmlns="urn:schemas-microsoft-com:unattend"><settings pass="specialize"><component name="Microsoft-Windows-TerminalServices-LocalSessionManager" processorArchitecture="amd64">` +
				c.answer + `</component></settings></unattend>`
		}
		g, err := install(t, files, Answers{}, c.system)
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			guest.Check(t, RefuseRemoteDesktop(t.Context(), g.Guest, server2019, false))
			if text := g.Content(t, "Windows/SnfScripts/RemoteDesktop.cmd"); !strings.Contains(text, c.restores) {
				t.Errorf("%s: %s", name, text)
			}
		}
		if text := g.Content(t, "unattend.xml"); strings.Contains(text, "fDeny") && !strings.Contains(text, "<fDenyTSConnections>true</fDenyTSConnections>") {
			t.Errorf("%s: connections are allowed while Windows is set up:\n%s", name, text)
		}
		h, err := registry.Open(g.Root, hiveSystem)
		guest.Check(t, err)
		set := "ControlSet002"
		if c.system != "" {
			set = "ControlSet003"
		}
		v, _, err := h.Value(set+`\Control\Terminal Server`, denyConnections)
		if n, ok := v.Number(); !ok || n != 1 || err != nil {
			t.Errorf("%s: %d, %v", name, n, err)
		}
		other, _, err := h.Value(`ControlSet001\Control\Terminal Server`, denyConnections)
		if n, _ := other.Number(); n != 5 || err != nil {
			t.Errorf("%s: the other control set has %d, %v", name, n, err)
		}
		guest.Check(t, h.Close())
	}
}

// TestRemoteDesktopAgain gives a machine that was not started yet another answer file: until the
// set-up is complete connections stay refused, and then what that file says counts.
func TestRemoteDesktopAgain(t *testing.T) {
	t.Parallel()
	g, err := install(t, nil, Answers{}, "")
	guest.Check(t, err)
	guest.Check(t, RefuseRemoteDesktop(t.Context(), g.Guest, server2019, false))
	for _, c := range []struct{ says, restores string }{{"true", "/d 1 /f"}, {"false", "/d 0 /f"}, {"true", "/d 1 /f"}} {
		given := `<unattend xmlns="urn:schemas-microsoft-com:unattend"><settings pass="specialize"><component name="Microsoft-Windows-TerminalServices-LocalSessionManager" processorArchitecture="amd64">` +
			`<fDenyTSConnections>` + c.says + `</fDenyTSConnections></component></settings></unattend>`
		guest.Check(t, Install(t.Context(), g.Guest, server2019, Answers{Given: []byte(given)}, now))
		for _, anew := range []bool{true, false} {
			guest.Check(t, RefuseRemoteDesktop(t.Context(), g.Guest, server2019, anew))
			if text := g.Content(t, "Windows/SnfScripts/RemoteDesktop.cmd"); !strings.Contains(text, c.restores) {
				t.Errorf("an answer file that says %s, anew %v: %s", c.says, anew, text)
			}
		}
		if text := g.Content(t, "unattend.xml"); !strings.Contains(text, "<fDenyTSConnections>true<") {
			t.Errorf("one that says %s allows them:\n%s", c.says, text)
		}
	}
}

// TestRegistryChecked: what hivexsh could not be told of is found before anything is written.
func TestRegistryChecked(t *testing.T) {
	t.Parallel()
	long := "\"long\"=hex:" + strings.Repeat("01,", 4999) + "02\n"
	g := guest.New(t, map[string]string{"Windows/System32/config/SYSTEM": string(hive.New(t, hiveText+"\n[HIVE\\ControlSet002\\Control\\Terminal Server]\n"+long))})
	if err := CheckRemoteDesktop(t.Context(), g.Root); err == nil || !strings.Contains(err.Error(), `value "long" of 5000 bytes`) {
		t.Errorf("remote desktop: %v", err)
	}
	if err := CheckInstall(t.Context(), g.Root, server2019, Answers{Zone: "UTC"}); err != nil {
		t.Errorf("another key: %v", err)
	}
	g = guest.New(t, map[string]string{"Windows/System32/config/SYSTEM": string(hive.New(t, hiveText+"\n[HIVE\\Setup]\n\"UnattendFile\"=\"x\"\n"+long))})
	if err := CheckInstall(t.Context(), g.Root, server2019, Answers{Zone: "UTC"}); err == nil || !strings.Contains(err.Error(), `value "long" of 5000 bytes`) {
		t.Errorf("answer file: %v", err)
	}
	if err := CheckRemoteDesktop(t.Context(), g.Root); err != nil {
		t.Errorf("another key: %v", err)
	}
}

// TestControlSetMissing: nothing is made up for a registry that contradicts itself.
func TestControlSetMissing(t *testing.T) {
	t.Parallel()
	g, err := install(t, nil, Answers{}, "\n[HIVE\\Select]\n\"Current\"=dword:00000009\n")
	if err != nil {
		t.Fatal(err)
	}
	before := g.Snapshot(t)
	err = RefuseRemoteDesktop(t.Context(), g.Guest, server2019, false)
	if err == nil || !strings.Contains(err.Error(), "config/SYSTEM") || !strings.Contains(err.Error(), "no key ControlSet009") {
		t.Errorf("error %v", err)
	}
	if diff := cmp.Diff(before, g.Snapshot(t)); diff != "" {
		t.Errorf("refused, but changed (-before +after):\n%s", diff)
	}
}

func TestNetwork(t *testing.T) {
	t.Parallel()
	g, err := install(t, nil, Answers{}, "")
	if err != nil {
		t.Fatal(err)
	}
	dhcp, static := netconf.Interface{IPv4: netconf.DHCP}, netconf.Interface{MAC: "52:54:00:12:34:56", IPv4: netconf.Static}
	var skipped *outcome.Skipped
	if err := ConfigureNetwork(g.Guest, server2019, []netconf.Interface{dhcp}); !errors.As(err, &skipped) {
		t.Errorf("DHCP: %v", err)
	}
	guest.Check(t, ConfigureNetwork(g.Guest, server2019, []netconf.Interface{dhcp, static}))
	if text := g.Content(t, "Windows/SnfScripts/ConfigureNetwork.ps1"); !strings.Contains(text, "52-54-00-12-34-56") {
		t.Error(text)
	}
	if err := ConfigureNetwork(g.Guest, server2019, []netconf.Interface{dhcp}); !errors.As(err, &skipped) || g.Root.Has("/Windows/SnfScripts/ConfigureNetwork.cmd") {
		t.Errorf("DHCP after a static address: %v, or the old script is left", err)
	}
	guest.Check(t, ConfigureNetwork(g.Guest, System{Major: 5, Minor: 1}, []netconf.Interface{static}))
	if w := *g.Warnings; len(w) != 1 || !strings.Contains(w[0], "static addresses") {
		t.Errorf("warnings: %q", w)
	}
}

func TestInject(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 250) // with what is added to it, too long
	g := guest.New(t, map[string]string{"Windows/System32/drivers/etc/hosts": "old", "Temp/x": "file", long: "file"})
	guest.Check(t, Inject(g.Guest, server2019, []spec.File{
		{Path: `C:\Windows\System32\drivers\etc\hosts`, Contents: []byte("new")},
		{Path: "/Users/Public/a.txt", Contents: []byte("first")},
		{Path: `c:/users/PUBLIC/A.TXT`, Contents: []byte("last")},
	}, now))
	if got := g.Content(t, "Windows/System32/drivers/etc/hosts"); got != "new" {
		t.Errorf("hosts: %q", got)
	}
	if got := g.Content(t, "Windows/System32/drivers/etc/hosts"+kept); got != "old" {
		t.Errorf("the old hosts: %q", got)
	}
	if got := g.Content(t, "users/PUBLIC/A.TXT"); got != "last" || g.Root.Has("/Users/Public/a.txt") {
		t.Errorf("the last does not count: %q", got)
	}
	before := g.Snapshot(t)
	for _, bad := range []string{"", "a", `D:\a`, `C:a`, `\\server\share\a`, "/", `C:\`, `C:\a\`, `C:\con`, `C:\LPT1.txt`, `C:\COM¹`, `C:\nul .txt`, `C:\CONOUT$`, `C:\$mft`, "/$Extend/x", "/" + long, "/a\xff", "/" + strings.Repeat("ä", 256), `C:\a\NUL\b`, `C:\a.`, `C:\a \b`, `C:\a?`, `C:\a:b`, `C:\a<`, "/Windows", "/Temp/x/y", `C:\NEW\x`} {
		err := Inject(g.Guest, server2019, []spec.File{{Path: "/new", Contents: []byte("x")}, {Path: bad}}, now)
		if err == nil || !strings.Contains(err.Error(), "personality entry 2") {
			t.Errorf("%q: %v", bad, err)
		}
	}
	if diff := cmp.Diff(before, g.Snapshot(t)); diff != "" {
		t.Errorf("refused, but changed (-before +after):\n%s", diff)
	}
}

// TestNameAndKey are in the answer file together.
func TestNameAndKey(t *testing.T) {
	t.Parallel()
	g, err := install(t, nil, Answers{ProductKey: "AAAAA-BBBBB-CCCCC-DDDDD-EEEEE"}, "")
	if err != nil {
		t.Fatal(err)
	}
	guest.Check(t, SetName(g.Guest, server2019, "web1.example.org"))
	text := g.Content(t, "unattend.xml")
	if strings.Count(text, "<ComputerName>web1</ComputerName>") != 1 || !strings.Contains(text, "AAAAA-") {
		t.Error(text)
	}
	if _, err := answer.Read([]byte(text), "amd64"); err != nil {
		t.Error(err)
	}
}
