package task

import (
	"errors"
	"strings"
	"testing"

	"snf-image/internal/guest/filesystem"
)

// TestMountFstab has a file system that cannot be mounted.
func TestMountFstab(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		options, err string
		warns        int
	}{
		"needed":   {"defaults", "fstab entry for /data: mounting /dev/x: f2fs is not in this version", 0},
		"optional": {"defaults,nofail", "", 1},
		"noauto":   {"noauto", "", 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newImageRun(t, map[string]string{"etc/fstab": "UUID=a /data f2fs " + c.options + " 0 2\n", "data": "DIR"})
			r.Volumes = []filesystem.Volume{{Path: "/dev/x", Number: 3, Type: "f2fs", UUID: "a"}}
			r.Load = func(string) error { return nil }
			wants(t, r.mountFstab(), c.err)
			if len(r.warnings) != c.warns || c.warns > 0 && !strings.Contains(r.warnings[0], "/data is not mounted") {
				t.Errorf("warnings %q, want %d", r.warnings, c.warns)
			}
		})
	}
}

// TestMountFstabOverRoot has mount points that lead to the root by a link.
func TestMountFstabOverRoot(t *testing.T) {
	t.Parallel()
	for _, options := range []string{"defaults", "defaults,nofail"} {
		for _, target := range []string{"/", ".", "d/..", "../../.."} {
			r := newImageRun(t, map[string]string{"etc/fstab": "UUID=a /data ext4 " + options + " 0 2\n", "data": "-> " + target, "d": "DIR"})
			r.Volumes = []filesystem.Volume{{Path: "/dev/x", Number: 3, Type: "ext4", UUID: "a"}}
			r.Load = func(string) error { return errors.New("mounted") }
			wants(t, r.mountFstab(), "fstab entry for /data: the mount point leads to /")
		}
	}
}
