package task

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"snf-image/internal/guest/filesystem"
	"snf-image/internal/guest/inspect"
	"snf-image/internal/report"
	"snf-image/internal/spec"
	"snf-image/tests/guest"
	"snf-image/tests/hive"
)

const windowsSystemHive = "[HIVE\\Select]\n\"Current\"=dword:00000001\n\n[HIVE\\ControlSet001\\Control]\n\n[HIVE\\Setup]\n\"SystemSetupInProgress\"=dword:00000001\n\"MiniSetupInProgress\"=dword:00000001\n"

const windowsAccounts = "[HIVE\\SAM\\Domains\\Account\\Users\\Names\\Verwalter]\n@=hex(1f4):\n"

// windowsTasks are those that change the files of a Windows.
var windowsTasks = []string{
	spec.InstallUnattend, spec.FilesystemResizeMounted, spec.AssignHostname, spec.ChangeMachineID, spec.ChangePassword,
	spec.ConfigureNetwork, spec.DeleteSSHKeys, spec.DisableRemoteDesktopConnections, spec.EnforcePersonality,
}

// runOnWindows is a run on a Windows with everything that can be asked for.
func runOnWindows(t *testing.T, family string) (*Run, guest.Guest) {
	t.Helper()
	g := guest.New(t, map[string]string{
		"Windows/System32/config/SYSTEM": string(hive.New(t, windowsSystemHive)), "Windows/System32/config/SAM": string(hive.New(t, windowsAccounts)),
		"Program Files/Cloudbase Solutions/Cloudbase-Init": "DIR",
	})
	password, key := spec.Secret("Geheim&1"), spec.Secret("AAAAA-BBBBB-CCCCC-DDDDD-EEEEE")
	return &Run{
		Plan: &spec.Plan{
			Mode: spec.ModeDeploy, Tasks: windowsTasks, InstanceName: "web1.example.org", Users: []string{"root"}, AssumesUsers: true,
			TimeZone: "GMT Standard Time", NICs: []spec.NIC{{MAC: "52:54:00:00:00:01", IP: "192.0.2.10", Subnet: "192.0.2.0/24"}},
		},
		Credentials: &spec.Credentials{
			Password: &password, ProductKey: &key, AuthorizedKeys: []string{"ssh-ed25519 x"}, Files: []spec.File{{Path: `C:\a\b.txt`, Contents: []byte("x")}},
		},
		Inspection:    &report.Inspection{OSFamily: family, Version: "10.0.17763", Windows: &report.Windows{Architecture: "amd64", State: "IMAGE_STATE_GENERALIZE_RESEAL_TO_OOBE"}},
		Root:          g.Root,
		RecoveryMoved: 4,
	}, g
}

// TestWindowsTasks runs the tasks of a Windows: each does what is asked for, or says why not.
func TestWindowsTasks(t *testing.T) {
	t.Parallel()
	for _, family := range []string{inspect.Windows, inspect.WindowsLegacy} {
		r, g := runOnWindows(t, family)
		if family == inspect.WindowsLegacy {
			r.Inspection.Version, r.Inspection.Windows = "5.1.2600", &report.Windows{Architecture: "x86"}
		}
		_, results, err := runPlan(t, r.Plan, r)
		if err != nil {
			t.Fatalf("%s: %v", family, err)
		}
		got := map[string]string{}
		for _, result := range results {
			got[result.Name] = string(result.Outcome) + " " + result.Reason + strings.Join(result.Warnings, "; ")
		}
		want := map[string]string{
			spec.InstallUnattend:         "warned the image has cloudbase-init, which is left as it is: it may set another name and password when it finds a source of data",
			spec.FilesystemResizeMounted: "skipped no file system grows when Windows starts",
			spec.AssignHostname:          "done ", spec.ChangeMachineID: "skipped not for " + family, spec.DeleteSSHKeys: "skipped not for " + family,
			spec.ChangePassword:   "warned auth_keys are not set: Windows has no use for them; the property USERS is not set: the password is that of Verwalter",
			spec.ConfigureNetwork: "done ", spec.DisableRemoteDesktopConnections: "done ", spec.EnforcePersonality: "done ",
		}
		files := map[string]string{
			"unattend.xml": "<ComputerName>web1<", "Windows/SnfScripts/RecoveryEnvironment.cmd": "reagentc", "Windows/SnfScripts/ConfigureNetwork.ps1": "192.0.2.10",
		}
		if family == inspect.WindowsLegacy {
			want[spec.FilesystemResizeMounted] = "skipped not for windows-legacy"
			want[spec.ConfigureNetwork] = "warned static addresses are not set on Windows XP and Server 2003, which ask by DHCP"
			files = map[string]string{"sysprep/sysprep.inf": "ComputerName=web1", "sysprep/i386/$OEM$/CmdLines.txt": "SetupComplete.cmd"}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", family, diff)
		}
		files["Windows/SnfScripts/ChangeAdminPassword.cmd"], files["a/b.txt"], files["Windows/SnfScripts/RemoteDesktop.cmd"] = `^"Verwalter^" ^"Geheim^&1^"`, "x", "delete"
		for p, part := range files {
			if text := g.Content(t, p); !strings.Contains(text, part) {
				t.Errorf("%s: %s does not have %q:\n%s", family, p, part, text)
			}
		}
	}
}

// TestWindowsVersion: where the registry does not say it the family does, so that what cleans up
// removes the answer file of that.
func TestWindowsVersion(t *testing.T) {
	t.Parallel()
	for family, want := range map[string]string{inspect.Windows: `%SystemDrive%\unattend.xml"`, inspect.WindowsLegacy: `%SystemDrive%\sysprep\sysprep.inf"`} {
		r, g := runOnWindows(t, family)
		r.Inspection.Version = "0.0.0"
		if _, _, err := runPlan(t, r.Plan, r); err != nil {
			t.Fatalf("%s: %v", family, err)
		}
		if text := g.Content(t, "Windows/Setup/Scripts/SetupComplete.cmd"); !strings.Contains(text, want) {
			t.Errorf("%s: no %s in\n%s", family, want, text)
		}
	}
}

// TestWindowsChecked: what a task would fail with is found before the first one writes.
func TestWindowsChecked(t *testing.T) {
	t.Parallel()
	never := spec.Secret("line\nfeed")
	for name, c := range map[string]struct {
		change     func(r *Run)
		task, want string
	}{
		"registry": {func(r *Run) { r.Unread, r.Inspection.Windows.Architecture = errors.New("SYSTEM is dirty"), "" }, spec.InstallUnattend, "SYSTEM is dirty"},
		"name":     {func(r *Run) { r.Plan.InstanceName = "sixteen-letters-" }, spec.AssignHostname, "not the name of a computer"},
		"user":     {func(r *Run) { r.Plan.AssumesUsers = false }, spec.ChangePassword, "no user"},
		"password": {func(r *Run) { r.Credentials.Password = &never }, spec.ChangePassword, "control characters"},
		"zone":     {func(r *Run) { r.Plan.TimeZone = "Mars" }, spec.InstallUnattend, "Mars"},
		"answers":  {func(r *Run) { r.Credentials.AnswerFile = []byte("<x/>") }, spec.InstallUnattend, "os_answer_file"},
		"file":     {func(r *Run) { r.Credentials.Files[0].Path = `D:\x` }, spec.EnforcePersonality, "drive C"},
		"scripts": {
			func(r *Run) { r.Plan.Tasks = []string{spec.AssignHostname, spec.ConfigureNetwork} },
			spec.AssignHostname, "no answer file",
		},
		"password alone": {func(r *Run) { r.Plan.Tasks = []string{spec.ChangePassword} }, spec.ChangePassword, "would not run our scripts"},
		"network alone":  {func(r *Run) { r.Plan.Tasks = []string{spec.ConfigureNetwork} }, spec.ConfigureNetwork, "would not run our scripts"},
	} {
		r, g := runOnWindows(t, inspect.Windows)
		r.Plan.Mode = spec.ModeCustomize
		if err := Check(t.Context(), r); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		c.change(r)
		if err := Check(t.Context(), r); err == nil || !strings.Contains(err.Error(), "nothing is changed, since "+c.task+" cannot be done") || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
		if changed := g.Root.Changed(); len(changed) > 0 {
			t.Errorf("%s: %q was changed", name, changed)
		}
	}
}

// TestWindowsAnewRefuses: what the answer file of the node says counts where it takes the place of one that
// an earlier run completed.
func TestWindowsAnewRefuses(t *testing.T) {
	t.Parallel()
	r, g := runOnWindows(t, inspect.Windows)
	_, _, err := runPlan(t, r.Plan, r)
	check(t, err)
	r.Plan.Mode, r.Plan.Tasks = spec.ModeCustomize, []string{spec.InstallUnattend, spec.DisableRemoteDesktopConnections}
	r.Plan.Properties = map[string]string{spec.PropIgnoreUnattend: "yes"}
	r.Credentials.NodeAnswer = []byte(`<unattend xmlns="urn:schemas-microsoft-com:unattend"><settings pass="specialize"><component name="Microsoft-Windows-TerminalServices-LocalSessionManager" processorArchitecture="amd64"><fDenyTSConnections>true</fDenyTSConnections></component></settings></unattend>`)
	_, _, err = runPlan(t, r.Plan, r)
	check(t, err)
	if text := g.Content(t, "Windows/SnfScripts/RemoteDesktop.cmd"); !strings.Contains(text, "/d 1 /f") {
		t.Errorf("the answer file refuses connections, the script does not:\n%s", text)
	}
}

// TestWindowsUnprepared leaves no password where nothing would run and remove its script.
func TestWindowsUnprepared(t *testing.T) {
	t.Parallel()
	r, g := runOnWindows(t, inspect.Windows)
	r.Plan.Tasks = []string{spec.ChangePassword}
	if _, _, err := runPlan(t, r.Plan, r); err == nil || !strings.Contains(err.Error(), "InstallUnattend") || len(g.Root.Changed()) > 0 {
		t.Errorf("%v, %q was changed", err, g.Root.Changed())
	}
	r.Plan.Tasks = windowsTasks
	if _, _, err := runPlan(t, r.Plan, r); err != nil {
		t.Fatal(err)
	}
	r.Plan.Tasks = []string{spec.ChangePassword, spec.ConfigureNetwork} // the machine was not started since
	if _, _, err := runPlan(t, r.Plan, r); err != nil {
		t.Errorf("once more: %v", err)
	}
}

// TestWindowsUnextended: where nothing would run the script that extends the file system, somebody
// has to.
func TestWindowsUnextended(t *testing.T) {
	t.Parallel()
	r, g := runOnWindows(t, inspect.Windows)
	r.Plan.Mode, r.Plan.Tasks = spec.ModeCustomize, []string{spec.FixPartitionTable, spec.FilesystemResizeMounted}
	r.Volumes, r.Resize = []filesystem.Volume{{Name: "vda2", Path: "/nonexistent", Type: "ntfs", Number: 2}}, "vda2"
	if err := extendWindows(t.Context(), r); err != nil || len(r.warnings) != 1 || !strings.Contains(r.warnings[0], "is not extended: do so in Windows") || len(g.Root.Changed()) > 0 {
		t.Errorf("%v, warnings %q, %q was changed", err, r.warnings, g.Root.Changed())
	}
	r.Plan.Tasks = []string{spec.InstallUnattend}
	r.warnings = nil
	if err := extendWindows(t.Context(), r); err != nil || len(r.warnings) > 0 {
		t.Errorf("%v, warnings %q", err, r.warnings)
	}
	if text := g.Content(t, "Windows/SnfScripts/ExtendFilesystem"); !strings.Contains(text, "select partition 2") {
		t.Errorf("the script is %q", text)
	}
}

// TestWindowsInUse is not changed by tasks that need its first boot.
func TestWindowsInUse(t *testing.T) {
	t.Parallel()
	r, g := runOnWindows(t, inspect.Windows)
	r.Plan.Mode, r.Inspection.Windows.State = spec.ModeCustomize, "IMAGE_STATE_COMPLETE"
	if err := Check(t.Context(), r); err == nil || !strings.Contains(err.Error(), "nothing is changed, since InstallUnattend cannot be done") {
		t.Errorf("Check: %v", err)
	}
	r.Plan.Tasks = []string{spec.FilesystemResizeMounted, spec.EnforcePersonality}
	if err := Check(t.Context(), r); err != nil {
		t.Errorf("files alone: %v", err)
	}
	if changed := g.Root.Changed(); len(changed) > 0 {
		t.Errorf("%q was changed", changed)
	}
}
