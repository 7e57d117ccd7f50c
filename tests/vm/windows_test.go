package vm

import (
	"strings"
	"testing"

	"snf-image/tests/harness"
	"snf-image/tests/images"
)

// needsWindows demands the tools of NTFS and of the registry.
func needsWindows(t *testing.T) {
	t.Helper()
	harness.Gate(t, "mkntfs", "ntfs-3g", "ntfsresize", "fsntfsinfo", "hivexregedit", "hivexml")
}

// TestInspectWindows looks at images of Windows.
func TestInspectWindows(t *testing.T) {
	needsWindows(t)
	for name, c := range map[string]struct {
		image images.Image
		want  []string
	}{
		"2019": {images.WindowsGPT(images.Server2019().Tree(t)), []string{
			"Windows Server 2019 Standard", "NT 10.0.17763, amd64, IMAGE_STATE_GENERALIZE_RESEAL_TO_OOBE",
			`OSFAMILY=windows ROOT_PARTITION=3 USERS="Administrator Guest"`,
		}},
		"XP": {images.WindowsMBR(images.XP().Tree(t)), []string{"NT 5.1.2600, x86", "OSFAMILY=windows-legacy ROOT_PARTITION=2"}},
	} {
		t.Run(name, func(t *testing.T) {
			j := newJob(t, c.image)
			o := site.Run(t, "inspect", j.image)
			o.OK(t)
			for _, want := range c.want {
				if !strings.Contains(o.Stdout, want) {
					t.Errorf("inspect does not say %q:\n%s", want, o.Stdout)
				}
			}
		})
	}
}
