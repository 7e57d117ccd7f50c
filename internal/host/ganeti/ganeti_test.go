package ganeti

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"snf-image/internal/host/builder"
	"snf-image/internal/host/problem"
	"snf-image/tests/golden"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"
)

// TestRead compares what is read with a golden for each case: the comment of the
// archive is the name of the script, "environment" its variables as Ganeti sets
// them, "call" what comes of it and "problems" what Build says in the end.
func TestRead(t *testing.T) {
	t.Parallel()
	golden.Cases(t, "testdata/read/*.txtar", func(t *testing.T, script, environment string) []txtar.File {
		pairs := strings.Split(strings.TrimSuffix(environment, "\n"), "\n")
		return read(t, Script(script), NewEnvironment(pairs))
	})
}

// read reads env and builds a spec, as the program does.
func read(t *testing.T, script Script, env Environment) []txtar.File {
	t.Helper()
	call, problems := Read(script, env)
	shown, err := json.MarshalIndent(call, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	if call.Transfer == nil {
		problems = built(call, problems)
	}
	var lines []string
	for _, p := range problems {
		lines = append(lines, string(p.Severity)+": "+p.Error()+"\n")
	}
	return []txtar.File{{Name: "call", Data: append(shown, '\n')}, {Name: "problems", Data: []byte(strings.Join(lines, ""))}}
}

// built returns problems and those of the spec.
func built(call *Call, problems problem.List) problem.List {
	var params builder.Parameters
	for _, p := range problems {
		params.Report(p)
	}
	for _, p := range call.Parameters {
		params.Set(p.Name, p.Value.Reveal(), p.Origin)
	}
	_, problems = builder.Build(&params, call.Input)
	return problems
}

// good is the least a script can be called with.
func good(script Script) Environment {
	env := Environment{"OS_API_VERSION": "20", "INSTANCE_NAME": "web1.example.org", "DISK_COUNT": "1", "DISK_0_PATH": "/dev/x"}
	switch script {
	case Rename:
		env["OLD_INSTANCE_NAME"] = "old.example.org"
	case Export:
		env["EXPORT_DEVICE"] = "/dev/x"
	case Import:
		env["IMPORT_DEVICE"] = "/dev/x"
	case Verify:
		env = Environment{}
	}
	return env
}

func TestLeastEnvironment(t *testing.T) {
	t.Parallel()
	for _, script := range Scripts() {
		if _, problems := Read(script, good(script)); len(problems) > 0 {
			t.Errorf("Read(%s, least) = %v", script, problems)
		}
	}
}

// TestFirmware takes a firmware only where Ganeti names one and no kernel of the node starts
// the instance.
func TestFirmware(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ kind, kernel, want string }{
		{"uefi", "", "uefi"}, {"bios", "", "bios"}, {"direct_kernel", "", ""}, {"", "", ""}, {"uefi", "/boot/vmlinuz", ""},
	} {
		env := good(Create)
		env["INSTANCE_HV_boot_type"], env["INSTANCE_HV_kernel_path"] = c.kind, c.kernel
		call, problems := Read(Create, env)
		if call.Input.Firmware != c.want || len(problems) > 0 {
			t.Errorf("boot_type %q, kernel_path %q: firmware %q (%v), want %q", c.kind, c.kernel, call.Input.Firmware, problems, c.want)
		}
	}
}

// TestReadRefuses breaks one variable and wants a problem that names it.
func TestReadRefuses(t *testing.T) {
	t.Parallel()
	const unset = "\x00"
	for _, tc := range []struct {
		script          Script
		variable, value string
	}{
		{Create, "OS_API_VERSION", unset},
		{Create, "OS_API_VERSION", "15"},
		{Rename, "OS_API_VERSION", ""},
		{Verify, "OS_API_VERSION", "21"},
		{Create, "INSTANCE_NAME", unset},
		{Export, "INSTANCE_NAME", ""},
		{Create, "DISK_COUNT", unset},
		{Create, "DISK_COUNT", "0"},
		{Create, "DISK_COUNT", "-1"},
		{Create, "DISK_COUNT", "+1"},
		{Rename, "DISK_COUNT", "999999999999999999999"},
		{Create, "DISK_COUNT", "257"},
		{Create, "DISK_0_ACCESS", "maybe"},
		{Create, "NIC_COUNT", "one"},
		{Create, "NIC_0_MAC", unset},
		{Create, "DEBUG_LEVEL", "high"},
		{Rename, "OLD_INSTANCE_NAME", unset},
		{Export, "EXPORT_DEVICE", unset},
		{Import, "IMPORT_DEVICE", unset},
		{Export, "EXPORT_INDEX", "x"},
		{Export, "EXP_SIZE_FD", "-1"},
	} {
		env := good(tc.script)
		env[tc.variable] = tc.value
		if tc.value == unset {
			delete(env, tc.variable)
		}
		if tc.variable == "NIC_0_MAC" {
			env["NIC_COUNT"] = "1"
		}
		call, problems := Read(tc.script, env)
		if call.Transfer == nil && tc.script != Verify {
			problems = built(call, problems)
		}
		if errs := problems.Errors(); !errors.Is(errs, ErrVariable) && !errors.Is(errs, builder.ErrRequired) ||
			!strings.Contains(errs.Error(), tc.variable+": ") {
			t.Errorf("Read(%s) with %s=%q: %v, want a problem with it", tc.script, tc.variable, tc.value, problems)
		}
	}
}

func TestTransfer(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name string
		env  Environment
		want Transfer
	}{
		{"device", Environment{"EXPORT_DEVICE": "/dev/a", "EXPORT_DISK_PATH": "/dev/b", "EXPORT_INDEX": "3", "EXP_SIZE_FD": "7"}, Transfer{Device: "/dev/a", Index: 3, SizeFD: 7}},
		{"path", Environment{"EXPORT_DISK_PATH": "/dev/b"}, Transfer{Device: "/dev/b", SizeFD: -1}},
		{"URI", Environment{"EXPORT_DISK_URI": "rbd:pool/x"}, Transfer{URI: "rbd:pool/x", SizeFD: -1}},
	} {
		env := good(Export)
		delete(env, "EXPORT_DEVICE")
		for name, value := range tc.env {
			env[name] = value
		}
		call, problems := Read(Export, env)
		if diff := cmp.Diff(&tc.want, call.Transfer); diff != "" || len(problems) > 0 {
			t.Errorf("%s: Read = %v (-want +got):\n%s", tc.name, problems, diff)
		}
	}
}

func TestNewEnvironment(t *testing.T) {
	t.Parallel()
	got := NewEnvironment([]string{"A=1", "A=2", "EMPTY=", "no pair", "B=x=y", "L=a\nb"})
	want := Environment{"A": "1", "EMPTY": "", "B": "x=y", "L": "a\nb"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("NewEnvironment (-want +got):\n%s", diff)
	}
}

func TestIsScript(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]bool{"create": true, "verify": true, "snf-image": false, "create_untrusted": false, "": false} {
		if IsScript(name) != want {
			t.Errorf("IsScript(%q) = %v", name, !want)
		}
	}
}

// FuzzRead looks for panics, and for secrets in what is reported.
func FuzzRead(f *testing.F) {
	for _, s := range Scripts() {
		f.Add(string(s), "OS_API_VERSION=20\nINSTANCE_NAME=x\nDISK_COUNT=2\nDISK_0_PATH=/a\nNIC_COUNT=1\nOSP_IMG_ID=x")
	}
	f.Fuzz(func(t *testing.T, script, lines string) {
		env := NewEnvironment(strings.Split(lines, "\n"))
		env["OSP_IMG_PASSWD"] = "canary-7d1f"
		call, problems := Read(Script(script), env)
		if call == nil || len(call.Input.Disks) > maxCount || len(call.Input.NICs) > maxCount {
			t.Fatalf("Read = %+v", call)
		}
		if call.Transfer == nil {
			problems = built(call, problems)
		}
		if strings.Contains(problems.Error(), "canary") {
			t.Errorf("a problem shows the password: %v", problems)
		}
	})
}
