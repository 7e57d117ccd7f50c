package inspect

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"snf-image/tests/guest"
	"snf-image/tests/hive"
)

// hivesOf returns the hives of a Windows.
func hivesOf(t *testing.T, software, system string) map[string]string {
	t.Helper()
	return map[string]string{
		hives + "SOFTWARE": string(hive.New(t, software)),
		hives + "SYSTEM":   string(hive.New(t, system)),
		hives + "SAM":      string(hive.New(t, "[HIVE\\SAM\\Domains\\Account\\Users\\Names\\Chef]\n")),
	}
}

const (
	version10 = `[HIVE\Microsoft\Windows NT\CurrentVersion]
"CurrentVersion"="6.3"
"CurrentMajorVersionNumber"=dword:0000000a
"CurrentMinorVersionNumber"=dword:00000000
"CurrentBuild"="22631"
"ProductName"="Windows 10 Pro"

[HIVE\Microsoft\Windows\CurrentVersion\Setup\State]
"ImageState"="IMAGE_STATE_COMPLETE"
`
	version5 = `[HIVE\Microsoft\Windows NT\CurrentVersion]
"CurrentVersion"="5.2"
"CurrentBuildNumber"="3790"
"ProductName"="Microsoft Windows Server 2003"
`
	set2 = `[HIVE\Select]
"Current"=dword:00000002

[HIVE\ControlSet002\Control\Session Manager\Environment]
"PROCESSOR_ARCHITECTURE"="AMD64"

[HIVE\ControlSet002\Control\ComputerName\ComputerName]
"ComputerName"="PC7"
`
	drivers = `
[HIVE\ControlSet002\Services\vioscsi]
"Start"=dword:00000000

[HIVE\ControlSet002\Services\netkvm]
"Start"=dword:00000003
`
	overridden = `
[HIVE\ControlSet002\Services\vioscsi\StartOverride]
"0"=dword:00000003
`
)

func TestWindows(t *testing.T) {
	t.Parallel()
	noDisk, noNet := "neither viostor", "netkvm is not installed"
	for name, c := range map[string]struct {
		software, system string
		family, pretty   string
		nt               NT
		warnings         []string // parts of them
	}{
		"11":                {version10, set2 + drivers, Windows, "Windows 11 Pro", NT{10, 0, 22631, "amd64", "IMAGE_STATE_COMPLETE", nil}, nil},
		"2003":              {version5, set2, WindowsLegacy, "Microsoft Windows Server 2003", NT{5, 2, 3790, "amd64", "", nil}, []string{noDisk, noNet}},
		"driver overridden": {version10, set2 + drivers + overridden, Windows, "Windows 11 Pro", NT{10, 0, 22631, "amd64", "IMAGE_STATE_COMPLETE", nil}, []string{noDisk}},
		"nothing in them":   {"", "[HIVE\\ControlSet001]\n", Windows, "", NT{}, []string{noDisk, noNet}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := Look(image(t, hivesOf(t, c.software, c.system)), 0)
			if s.Family != c.family || s.Pretty != c.pretty || s.NT == nil || *s.NT != c.nt {
				t.Errorf("family %q, %q, %+v", s.Family, s.Pretty, s.NT)
			}
			if diff := cmp.Diff([]string{"Chef"}, s.Names); diff != "" {
				t.Error(diff)
			}
			if len(s.Warnings) != len(c.warnings) {
				t.Fatalf("warnings %q", s.Warnings)
			}
			for i, want := range c.warnings {
				if !strings.Contains(s.Warnings[i], want) {
					t.Errorf("warning %q, want %q", s.Warnings[i], want)
				}
			}
		})
	}
}

// TestWindowsDamaged: what cannot be read is a warning, and the rest is told.
func TestWindowsDamaged(t *testing.T) {
	t.Parallel()
	files := hivesOf(t, version10, set2+drivers)
	files[hives+"SYSTEM"] = "no hive"
	s := Look(image(t, files), 0)
	if s.Family != Windows || s.Version != "10.0.22631" || len(s.Warnings) != 1 || !strings.Contains(s.Warnings[0], "SYSTEM") {
		t.Errorf("%+v", s)
	}
}

func TestSealed(t *testing.T) {
	t.Parallel()
	for state, want := range map[string]string{
		"IMAGE_STATE_GENERALIZE_RESEAL_TO_OOBE":  "",
		"IMAGE_STATE_GENERALIZE_RESEAL_TO_AUDIT": "",
		"IMAGE_STATE_COMPLETE":                   "never generalized",
		"IMAGE_STATE_SPECIALIZE_RESEAL_TO_OOBE":  "without being generalized",
		"IMAGE_STATE_SPECIALIZE_RESEAL_TO_AUDIT": "without being generalized",
		"IMAGE_STATE_UNDEPLOYABLE":               "was interrupted",
		"":                                       "does not tell",
		"SOMETHING":                              `unknown state, "SOMETHING"`,
	} {
		guest.Wants(t, (&NT{State: state}).Sealed(), want)
	}
}
