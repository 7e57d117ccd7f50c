package images

import (
	"fmt"
	"strings"
	"testing"

	"snf-image/tests/hive"
)

// Windows says what a tree of Windows is of.
type Windows struct {
	Name         string // of the product
	Version      string // of NT
	Build        int
	Architecture string
	State        string   // ImageState
	Drivers      []string // that are started at boot; netkvm is there when it is named
}

// Server2019 is ready to be deployed.
func Server2019() Windows {
	return Windows{
		Name: "Windows Server 2019 Standard", Version: "10.0", Build: 17763, Architecture: "AMD64",
		State: "IMAGE_STATE_GENERALIZE_RESEAL_TO_OOBE", Drivers: []string{"viostor", "netkvm"},
	}
}

// XP is ready to be deployed, too.
func XP() Windows {
	return Windows{Name: "Microsoft Windows XP", Version: "5.1", Build: 2600, Architecture: "x86", Drivers: []string{"viostor", "netkvm"}}
}

// Tree returns the files that matter: what marks a Windows, and its registry.
func (w Windows) Tree(t testing.TB) Tree {
	t.Helper()
	const config = "Windows/System32/config/"
	return Tree{
		{Path: "Windows/System32/ntoskrnl.exe", Data: "kernel"},
		{Path: "Users/Public/"},
		{Path: config + "SOFTWARE", Data: string(hive.New(t, w.software()))},
		{Path: config + "SYSTEM", Data: string(hive.New(t, w.system()))},
		{Path: config + "SAM", Data: string(hive.New(t, accounts))},
	}
}

func (w Windows) software() string {
	major, minor, _ := strings.Cut(w.Version, ".")
	text := fmt.Sprintf("[HIVE\\Microsoft\\Windows NT\\CurrentVersion]\n\"CurrentVersion\"=%q\n\"CurrentBuild\"=\"%d\"\n\"ProductName\"=%q\n",
		strings.Replace(w.Version, "10.0", "6.3", 1), w.Build, w.Name)
	if w.Version == "10.0" {
		text += fmt.Sprintf("\"CurrentMajorVersionNumber\"=dword:%08s\n\"CurrentMinorVersionNumber\"=dword:%08s\n", "a", minor)
	}
	_ = major
	if w.State != "" {
		text += fmt.Sprintf("\n[HIVE\\Microsoft\\Windows\\CurrentVersion\\Setup\\State]\n\"ImageState\"=%q\n", w.State)
	}
	return text
}

func (w Windows) system() string {
	var b strings.Builder
	fmt.Fprintf(&b, `[HIVE\Select]
"Current"=dword:00000001
"Default"=dword:00000001

[HIVE\MountedDevices]
"\\DosDevices\\C:"=hex:5e,ed,00,01,00,00,10,01,00,00,00,00

[HIVE\Setup]
"SystemSetupInProgress"=dword:00000001
"MiniSetupInProgress"=dword:00000001
"OOBEInProgress"=dword:00000001

[HIVE\ControlSet001\Control\ComputerName\ComputerName]
"ComputerName"="WIN-TEST"

[HIVE\ControlSet001\Control\Session Manager\Environment]
"PROCESSOR_ARCHITECTURE"="%s"

[HIVE\ControlSet001\Control\Terminal Server]
"fDenyTSConnections"=dword:00000000

[HIVE\ControlSet001\Services\Tcpip]
"Start"=dword:00000000
`, w.Architecture)
	for _, name := range w.Drivers {
		start := 0
		if name == "netkvm" {
			start = 3
		}
		fmt.Fprintf(&b, "\n[HIVE\\ControlSet001\\Services\\%s]\n\"Start\"=dword:%08d\n", name, start)
	}
	return b.String()
}

const accounts = `[HIVE\SAM\Domains\Account\Users\000001F4]
"V"=hex:00

[HIVE\SAM\Domains\Account\Users\Names\Administrator]
@=hex(1f4):

[HIVE\SAM\Domains\Account\Users\Names\Guest]
@=hex(1f5):
`
