package hive

import (
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// Windows says what the registry of a Windows is to tell. It is that of one that was just
// sealed by sysprep.
type Windows struct {
	Name         string // of the product
	Version      string // of NT
	Build        int
	Architecture string // as the registry has it
	// Set is the number of the control set that it starts with, of two.
	Set int
	// State is the ImageState, which NT 5 does not have.
	State string
	// Drivers are those that are started at boot; netkvm is there when it is named.
	Drivers []string
}

const generalized = "IMAGE_STATE_GENERALIZE_RESEAL_TO_OOBE"

// Systems are the versions of Windows that can be deployed, by name and architecture.
func Systems() map[string]Windows {
	all := map[string]Windows{}
	for _, s := range []struct {
		id, name, version string
		build             int
		architectures     string
	}{
		{"xp", "Microsoft Windows XP", "5.1", 2600, "x86"},
		{"xp", "Microsoft Windows XP", "5.2", 3790, "AMD64"},
		{"2003", "Microsoft Windows Server 2003", "5.2", 3790, "x86 AMD64"},
		{"7", "Windows 7 Professional", "6.1", 7601, "x86 AMD64"},
		{"2008r2", "Windows Server 2008 R2 Standard", "6.1", 7601, "AMD64"},
		{"2012", "Windows Server 2012 Standard", "6.2", 9200, "AMD64"},
		{"2012r2", "Windows Server 2012 R2 Standard", "6.3", 9600, "AMD64"},
		{"10", "Windows 10 Pro", "10.0", 19045, "x86 AMD64"},
		{"2016", "Windows Server 2016 Standard", "10.0", 14393, "AMD64"},
		{"2019", "Windows Server 2019 Standard", "10.0", 17763, "AMD64"},
		{"2022", "Windows Server 2022 Standard", "10.0", 20348, "AMD64"},
		{"11", "Windows 10 Pro", "10.0", 22631, "AMD64 ARM64"}, // it calls itself so
		{"2025", "Windows Server 2025 Standard", "10.0", 26100, "AMD64"},
	} {
		for architecture := range strings.FieldsSeq(s.architectures) {
			w := Windows{s.name, s.version, s.build, architecture, 1, generalized, []string{"viostor", "netkvm"}}
			if w.Legacy() {
				w.State = ""
			}
			if strings.HasPrefix(s.version, "6.") { // the last good configuration was another one
				w.Set = 2
			}
			all[s.id+"-"+strings.ToLower(architecture)] = w
		}
	}
	return all
}

// Legacy reports whether it is older than NT 6.
func (w Windows) Legacy() bool { return strings.HasPrefix(w.Version, "5.") }

// System returns one of Systems.
func System(t testing.TB, name string) Windows {
	t.Helper()
	w, ok := Systems()[name]
	if !ok {
		t.Fatalf("there is no Windows %q", name)
	}
	return w
}

// Hives returns its hives, by name.
func (w Windows) Hives(t testing.TB) map[string]string {
	t.Helper()
	sam, ok := made.Load(accounts)
	if !ok { // it is the same for all
		sam, _ = made.LoadOrStore(accounts, string(New(t, accounts)))
	}
	return map[string]string{"SOFTWARE": string(New(t, w.software())), "SYSTEM": string(New(t, w.system())), "SAM": sam.(string)}
}

// made are hives that were made, by their text.
var made sync.Map

func (w Windows) software() string {
	text := fmt.Sprintf("[HIVE\\Microsoft\\Windows NT\\CurrentVersion]\n\"CurrentVersion\"=%q\n\"CurrentBuild\"=\"%d\"\n\"CurrentBuildNumber\"=\"%d\"\n\"ProductName\"=%q\n",
		strings.Replace(w.Version, "10.0", "6.3", 1), w.Build, w.Build, w.Name)
	if w.Version == "10.0" {
		text += "\"CurrentMajorVersionNumber\"=dword:0000000a\n\"CurrentMinorVersionNumber\"=dword:00000000\n"
	}
	if w.State != "" {
		text += fmt.Sprintf("\n[HIVE\\Microsoft\\Windows\\CurrentVersion\\Setup\\State]\n\"ImageState\"=%q\n", w.State)
	}
	return text
}

// The control sets of a hive: NUMBER is that of one, MACHINE the architecture, ALLOW what remote desktop connections
// are. The key that is changed has values of every kind.
const controlSet = `
[HIVE\ControlSet00NUMBER\Control\ComputerName\ComputerName]
@="mnmsrvc"
"ComputerName"="WIN-TEST"

[HIVE\ControlSet00NUMBER\Control\Session Manager\Environment]
"PROCESSOR_ARCHITECTURE"="MACHINE"
"Path"=hex(2):25,00,53,00,79,00,73,00,74,00,65,00,6d,00,52,00,6f,00,6f,00,74,00,25,00,00,00

[HIVE\ControlSet00NUMBER\Control\Terminal Server]
@="no name"
"AllowRemoteRPC"=dword:00000000
"DelayConMgrTimeout"=dword:00000000
"fDenyTSConnections"=dword:ALLOW
"Größe"=hex:00,01,02
"ProductVersion"="5.1"
"NotificationTimeOut"=hex(b):00,00,00,00,01,00,00,00
"RCDependentServices"=hex(7):43,00,65,00,72,00,74,00,50,00,72,00,6f,00,70,00,53,00,76,00,63,00,00,00,53,00,65,00,73,00,73,00,69,00,6f,00,6e,00,45,00,6e,00,76,00,00,00,00,00
"StartRCM"=hex(0):

[HIVE\ControlSet00NUMBER\Control\Terminal Server\WinStations\RDP-Tcp]
"PortNumber"=dword:00000d3d
"SecurityLayer"=dword:00000002

[HIVE\ControlSet00NUMBER\Control\TimeZoneInformation]
"TimeZoneKeyName"="Pacific Standard Time"
"Bias"=dword:000001e0

[HIVE\ControlSet00NUMBER\Services\Tcpip\Parameters]
"Hostname"="WIN-TEST"
"SearchList"=""
`

func (w Windows) system() string {
	var b strings.Builder
	fmt.Fprintf(&b, `[HIVE\Select]
"Current"=dword:%08d
"Default"=dword:%08d
"Failed"=dword:00000000
"LastKnownGood"=dword:%08d

[HIVE\MountedDevices]
"\\DosDevices\\C:"=hex:5e,ed,00,01,00,00,10,01,00,00,00,00

[HIVE\Setup]
"CmdLine"="oobe\\windeploy.exe"
"SetupType"=dword:00000002
"SystemSetupInProgress"=dword:00000001
"MiniSetupInProgress"=dword:00000001
"OOBEInProgress"=dword:00000001
`, w.Set, w.Set, w.Set)
	for set := range 2 {
		allow := map[bool]string{true: "00000000", false: "00000001"}[set+1 == w.Set]
		b.WriteString(strings.NewReplacer("NUMBER", strconv.Itoa(set+1), "MACHINE", w.Architecture, "ALLOW", allow).Replace(controlSet))
	}
	for _, name := range w.Drivers {
		start := 0
		if name == "netkvm" {
			start = 3
		}
		fmt.Fprintf(&b, "\n[HIVE\\ControlSet00%d\\Services\\%s]\n\"Start\"=dword:%08d\n", w.Set, name, start)
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
