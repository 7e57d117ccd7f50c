package vm

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"snf-image/tests/hive"
	"snf-image/tests/images"
	"snf-image/tests/oracle"
)

// TestDeployWindows deploys a Windows with everything that can be asked for: exactly the
// intended files and values of the registry differ.
func TestDeployWindows(t *testing.T) {
	needsWindows(t)
	tree := append(images.WindowsTree(t, hive.System(t, "2019-amd64")),
		images.Entry{Path: "Windows/Panther/unattend.xml", Data: "<unattend/>"},
		images.Entry{Path: "Windows/Setup/Scripts/SetupComplete.cmd", Data: "echo own\r\nexit 1\r\n"},
		images.Entry{Path: "Windows/System32/drivers/etc/hosts", Data: "old"},
	)
	j := newJob(t, images.WindowsMBR(tree))
	report := j.dir + "/report.json"
	o := site.Run(t, "deploy", "--image", j.image, "--disk", j.disk, "--size", "256M", "--name", "web1.example.org",
		"--password-file", j.file("pw", "Pa&ss^w%d\"!\n"), "--product-key-file", j.file("key", "aaaaa-bbbbb-ccccc-ddddd-eeeee\n"),
		"--file", j.file("hosts", "new")+":/Windows/System32/drivers/etc/hosts",
		"--nic", "mac=52:54:00:00:00:01,ip=192.0.2.10,subnet=192.0.2.0/24,gateway=192.0.2.1", "--report", report)
	o.OK(t)
	j.done()
	var changed []string
	for _, c := range oracle.Changed(oracle.ReadTree(t, j.image, 2), oracle.ReadTree(t, j.disk, 2)) {
		changed = append(changed, kept.ReplaceAllString(c, ".bak"))
	}
	want := []string{
		"- /Windows/Panther/unattend.xml", "+ /Windows/Panther/unattend.xml.bak",
		"! /Windows/Setup/Scripts/SetupComplete.cmd",
		"+ /Windows/SnfScripts", "+ /Windows/SnfScripts/ChangeAdminPassword.cmd", "+ /Windows/SnfScripts/ConfigureNetwork.cmd",
		"+ /Windows/SnfScripts/ConfigureNetwork.ps1", "+ /Windows/SnfScripts/ExtendFilesystem", "+ /Windows/SnfScripts/RemoteDesktop.cmd",
		"! /Windows/System32/config/SYSTEM", "! /Windows/System32/drivers/etc/hosts", "+ /Windows/System32/drivers/etc/hosts.bak", "+ /unattend.xml",
	}
	if diff := cmp.Diff(want, changed); diff != "" {
		t.Errorf("changes (-want +got):\n%s\n%s", diff, o)
	}
	for p, parts := range map[string][]string{
		"unattend.xml": {"<ComputerName>web1</ComputerName>", "<ProductKey>AAAAA-BBBBB-CCCCC-DDDDD-EEEEE</ProductKey>", `processorArchitecture="amd64"`, "HideOnlineAccountScreens"},
		"Windows/SnfScripts/ChangeAdminPassword.cmd": {`user ^"Administrator^" ^"Pa^&ss^^w%%d\^"^!^" /ACTIVE:YES`},
		"Windows/SnfScripts/ExtendFilesystem":        {"select partition 2\r\nextend filesystem\r\n"},
		"Windows/SnfScripts/ConfigureNetwork.ps1":    {"Address 'IPv4' '192.0.2.10' 24"},
		"Windows/SnfScripts/RemoteDesktop.cmd":       {"/d 0 /f"},
		"Windows/Setup/Scripts/SetupComplete.cmd":    {"\r\necho own\r\nexit 1\r\n", `call :snf_wipe "%SystemDrive%\unattend.xml"`},
		"Windows/System32/drivers/etc/hosts":         {"new"},
	} {
		text := oracle.ReadFile(t, j.disk, 2, p)
		for _, part := range parts {
			if !strings.Contains(text, part) {
				t.Errorf("%s does not have %q:\n%s", p, part, text)
			}
		}
	}
	registryDiffers(t, j, 2, "Windows/System32/", 1)
	if r := readReport(t, report); !slices.Contains(r.Changed, "/unattend.xml") || slices.Contains(r.Changed, "/autounattend.xml") {
		t.Errorf("the report names these as changed: %q", r.Changed)
	}
}

// registryDiffers has hivexml print the hives of C: before and after: of all values but one
// differs, in the control set that starts.
func registryDiffers(t *testing.T, j *job, part int, dir string, set int) {
	t.Helper()
	value := fmt.Sprintf(`ROOT\ControlSet%03d\Control\Terminal Server\\fDenyTSConnections int32  `, set)
	for name, want := range map[string][]string{"SYSTEM": {"- " + value + "0", "+ " + value + "1"}, "SOFTWARE": nil, "SAM": nil} {
		p := dir + "config/" + name
		got := hive.Difference(t, []byte(oracle.ReadFile(t, j.image, part, p)), []byte(oracle.ReadFile(t, j.disk, part, p)))
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("the hive %s (-want +got):\n%s", name, diff)
		}
	}
}

// kept finds the date in the name of a file that is kept.
var kept = regexp.MustCompile(`\.bak\.\d{8}\.\d{6}$`)
