package vm

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"snf-image/tests/images"
	"snf-image/tests/oracle"
)

// TestDeployWindows deploys a Windows with everything that can be asked for: exactly the
// intended files and values of the registry differ.
func TestDeployWindows(t *testing.T) {
	needsWindows(t)
	tree := append(images.Server2019().Tree(t),
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
	checkRegistry(t, j)
	if r := readReport(t, report); !slices.Contains(r.Changed, "/unattend.xml") || slices.Contains(r.Changed, "/autounattend.xml") {
		t.Errorf("the report names these as changed: %q", r.Changed)
	}
}

// checkRegistry has hivexml print the registry before and after: one value differs.
func checkRegistry(t *testing.T, j *job) {
	t.Helper()
	values := func(disk string) []string {
		file := filepath.Join(t.TempDir(), "SYSTEM")
		if err := os.WriteFile(file, []byte(oracle.ReadFile(t, disk, 2, "Windows/System32/config/SYSTEM")), 0o600); err != nil {
			t.Fatal(err)
		}
		out, err := exec.Command("hivexml", "-k", file).Output()
		if err != nil {
			t.Fatal(err)
		}
		var lines []string
		for line := range strings.SplitSeq(strings.ReplaceAll(string(out), "><", ">\n<"), "\n") {
			if !strings.Contains(line, "mtime") && !strings.Contains(line, "<byte_run ") { // where a value lies may change
				lines = append(lines, line)
			}
		}
		return lines
	}
	before, after := values(j.image), values(j.disk)
	var differ []string
	for i := range min(len(before), len(after)) {
		if before[i] != after[i] {
			differ = append(differ, after[i])
		}
	}
	if len(before) != len(after) || len(differ) != 1 || !strings.Contains(differ[0], "fDenyTSConnections") || !strings.Contains(differ[0], ">1<") && !strings.Contains(differ[0], `"1"`) {
		t.Errorf("%d lines of hivexml, %d before; these differ: %q", len(after), len(before), differ)
	}
}

// kept finds the date in the name of a file that is kept.
var kept = regexp.MustCompile(`\.bak\.\d{8}\.\d{6}$`)
