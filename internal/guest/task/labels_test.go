package task

import (
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"snf-image/internal/spec"
)

func TestRelabel(t *testing.T) {
	t.Parallel()
	needsRoot(t)
	for title, c := range map[string]struct {
		config  string
		more    string // another file
		exclude string
		changed bool
		living  bool // and with labels
		warns   int
		written bool
		err     string
	}{
		"enforcing":     {"# x\nSELINUX=enforcing\nSELINUXTYPE=targeted\n", "", "", true, false, 1, true, ""},
		"permissive":    {"SELINUX=Permissive\n", "", "", true, false, 1, true, ""},
		"there already": {"SELINUX=enforcing\n", autorelabel, "", true, false, 1, true, ""},
		"labels kept":   {"SELINUX=enforcing\n", "", "", true, true, 0, false, ""},
		"disabled":      {"SELINUX=disabled\n", "", "", true, false, 0, false, ""},
		"unchanged":     {"SELINUX=enforcing\n", "", "", false, false, 0, false, ""},
		"excluded":      {"SELINUX=enforcing\n", "", "EXCLUDE_TASK_SELINUXAUTORELABEL", true, false, 0, false, ""},
		"no SELinux":    {"", "", "", true, false, 0, false, ""},
		"hostile":       {"FIFO", "", "", true, false, 0, false, "a FIFO"},
	} {
		t.Run(title, func(t *testing.T) {
			t.Parallel()
			files := map[string]string{"etc/hostname": "old\n"}
			if c.config != "" {
				files["etc/selinux/config"] = c.config
			}
			if c.more != "" {
				files[c.more] = ""
			}
			r := newImageRun(t, files)
			r.Plan.InstanceName, r.Plan.Exclude = "web1", map[string]string{spec.SELinuxAutorelabel: c.exclude}
			r.Plan.Mode = spec.ModeDeploy
			if c.living {
				r.Plan.Mode = spec.ModeCustomize
				check(t, unix.Setxattr(filepath.Join(r.dir, "etc/hostname"), "security.selinux", []byte("system_u:object_r:hostname_etc_t:s0\x00"), 0))
			}
			if c.changed {
				check(t, r.do(t, assignHostname))
			}
			wants(t, relabel(r.Run), c.err)
			if len(r.warnings) != c.warns || c.warns > 0 && !strings.Contains(r.warnings[0], "SELinux") {
				t.Errorf("warnings %q, want %d", r.warnings, c.warns)
			}
			if got := r.Root.Has(autorelabel); got != c.written {
				t.Errorf("%s is there: %t, want %t", autorelabel, got, c.written)
			}
		})
	}
}
