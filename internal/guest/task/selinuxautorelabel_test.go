package task

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"snf-image/internal/guest/rootfs"
	"snf-image/internal/spec"
)

const (
	enforcing = "SELINUX=enforcing\nSELINUXTYPE=default\n"
	fcFile    = "etc/selinux/default/contexts/files/file_contexts"
	// policyRules label what the tests change.
	policyRules = "/.*\tu:r:default_t\n/etc/hostname\tu:r:hostname_t\n/etc/.*\tu:r:etc_t\n/srv/moved(/.*)?\tu:r:srv_t\n/tmp/.*\t<<none>>\n"
)

// mark labels a file of the image.
func (r imageRun) mark(t *testing.T, p, label string) {
	t.Helper()
	check(t, unix.Lsetxattr(filepath.Join(r.dir, p), "security.selinux", []byte(label+"\x00"), 0))
}

// selinuxRun is the Run of an image with a labelled /etc, mounted.
func selinuxRun(t *testing.T, config string, living bool, files map[string]string) imageRun {
	t.Helper()
	files["etc/hostname"] = "old\n"
	if config != "" {
		files["etc/selinux/config"] = config
	}
	r := newImageRun(t, files)
	r.mark(t, "etc", "u:r:etc_t")
	r.Plan.InstanceName, r.Plan.Exclude, r.Plan.Mode = "web1", map[string]string{}, spec.ModeDeploy
	r.Plan.Tasks = []string{spec.AssignHostname, spec.SELinuxAutorelabel, spec.UmountImage}
	if living {
		r.Plan.Mode = spec.ModeCustomize
	}
	return r
}

// TestAutorelabel has the system label its files exactly where it is needed.
func TestAutorelabel(t *testing.T) {
	t.Parallel()
	needsRoot(t)
	const rules = fcFile
	for title, c := range map[string]struct {
		config  string
		file    string // another one, with the rules as its content
		exclude bool
		changed bool
		living  bool   // and the changed file has a label
		warning string // "" for none, then nothing is written
		err     string
	}{
		"labelled":        {enforcing, rules, false, true, false, "", ""},
		"permissive":      {"SELINUX=Permissive\nSELINUXTYPE=default\n", rules, false, true, false, "", ""},
		"no text":         {enforcing, rules + ".bin", false, true, false, "no file contexts as text", ""},
		"no policy":       {"SELINUX=enforcing\n", rules, false, true, false, "names no policy", ""},
		"way out":         {"SELINUX=enforcing\nSELINUXTYPE=../../x\n", "x/contexts/files/file_contexts", false, true, false, "names no policy", ""},
		"there already":   {enforcing, autorelabel, false, true, false, "no file contexts as text", ""},
		"living":          {enforcing, "x", false, true, true, "", ""},
		"disabled":        {"SELINUX=disabled\n", "x", false, true, false, "", ""},
		"unchanged":       {enforcing, "x", false, false, false, "", ""},
		"excluded":        {enforcing, "x", true, true, false, "", ""},
		"no SELinux":      {"", "x", false, true, false, "", ""},
		"hostile":         {"FIFO", "x", false, false, false, "", "a FIFO"},
		"hostile rules":   {enforcing, "NOTHING", false, true, false, "a FIFO", ""},
		"unknown grammar": {enforcing, "GRAMMAR", false, true, false, "cannot be read", ""},
	} {
		t.Run(title, func(t *testing.T) {
			t.Parallel()
			files := map[string]string{c.file: policyRules}
			switch c.file {
			case "NOTHING":
				files = map[string]string{fcFile: "FIFO"}
			case "GRAMMAR":
				files = map[string]string{fcFile: "/.*\tu:r:default_t\n/etc/h++.*\tu:r:x_t\n"}
			}
			r := selinuxRun(t, c.config, c.living, files)
			if c.exclude {
				r.Plan.Exclude[spec.SELinuxAutorelabel] = "EXCLUDE_TASK_SELINUXAUTORELABEL"
			}
			if c.living {
				r.mark(t, "etc/hostname", "u:r:own_t")
			}
			err := r.startLabels()
			if c.changed && err == nil {
				err = r.do(t, assignHostname)
			}
			if err == nil && !c.exclude {
				if err = r.do(t, selinuxAutorelabel); !enabled(c.config) && errors.As(err, new(*Skipped)) {
					err = nil
				}
			}
			wants(t, err, c.err)
			if got := strings.Join(r.warnings, "\n"); !strings.Contains(got, c.warning) || (got == "") != (c.warning == "") {
				t.Errorf("warnings %q, want %q", got, c.warning)
			}
			if got := r.Root.Has(autorelabel); got != (c.warning != "") && c.file != autorelabel {
				t.Errorf("%s is there: %t", autorelabel, got)
			}
		})
	}
}

func enabled(config string) bool {
	return strings.Contains(config, "enforcing") || strings.Contains(config, "Permissive")
}

// TestUnlabelledImage leaves an image that was never labelled to its first boot.
func TestUnlabelledImage(t *testing.T) {
	t.Parallel()
	needsRoot(t)
	r := selinuxRun(t, enforcing, false, map[string]string{fcFile: policyRules})
	check(t, unix.Lremovexattr(filepath.Join(r.dir, "etc"), "security.selinux"))
	check(t, r.startLabels())
	check(t, r.do(t, assignHostname))
	check(t, r.do(t, selinuxAutorelabel))
	if !r.Root.Has(autorelabel) || len(r.warnings) != 1 || !strings.Contains(r.warnings[0], errUnlabelled.Error()) {
		t.Errorf("warnings %q, %s is there: %t", r.warnings, autorelabel, r.Root.Has(autorelabel))
	}
	if got := r.Root.Labelled("/etc/hostname"); got != "" {
		t.Errorf("one file alone is labelled: %q", got)
	}
}

// TestLabelsAfterPrograms labels what programs left behind: new files, moved ones with all
// that is below them, but no file whose content alone they changed.
func TestLabelsAfterPrograms(t *testing.T) {
	t.Parallel()
	needsRoot(t)
	r := selinuxRun(t, enforcing, false, map[string]string{
		fcFile: policyRules, "etc/own": "x", "etc/old": "x", "opt/dir/file": "x", "etc/custom": "x",
		"etc/selinux/default/contexts/customizable_types": "custom_t\n",
	})
	for p, label := range map[string]string{
		"etc/hostname": "u:r:hostname_t", "etc/own": "u:r:own_t", "etc/old": "u:r:odd_t", "etc/custom": "u:r:custom_t",
		"opt": "u:r:default_t", "opt/dir": "u:r:default_t", "opt/dir/file": "u:r:default_t",
	} {
		r.mark(t, p, label)
	}
	check(t, r.startLabels())
	time.Sleep(2 * clockStep)
	r.labels.programRuns()
	for _, dir := range []string{"srv", "tmp"} {
		check(t, os.Mkdir(filepath.Join(r.dir, dir), 0o755))
	}
	check(t, os.Rename(filepath.Join(r.dir, "opt/dir"), filepath.Join(r.dir, "srv/moved")))
	check(t, os.WriteFile(filepath.Join(r.dir, "tmp/new"), nil, 0o644))
	check(t, os.WriteFile(filepath.Join(r.dir, "etc/new"), nil, 0o644))
	check(t, os.WriteFile(filepath.Join(r.dir, "etc/own"), []byte("changed"), 0o644))
	check(t, os.Chmod(filepath.Join(r.dir, "etc/custom"), 0o600))
	check(t, r.do(t, selinuxAutorelabel))
	for p, want := range map[string]string{
		"/etc/new": "u:r:etc_t", "/etc/own": "u:r:own_t", "/etc/old": "u:r:odd_t", "/etc/custom": "u:r:custom_t", "/tmp": "u:r:default_t",
		"/tmp/new": "u:r:default_t", "/srv/moved": "u:r:srv_t", "/srv/moved/file": "u:r:srv_t", "/opt": "u:r:default_t",
	} {
		if got := r.Root.Labelled(p); got != want {
			t.Errorf("label of %s = %q, want %q", p, got, want)
		}
	}
	if len(r.warnings) > 0 || r.Root.Has(autorelabel) {
		t.Errorf("warnings %q", r.warnings)
	}
}

// TestLabelsAfterFailure does not leave a living machine with files that have no label.
func TestLabelsAfterFailure(t *testing.T) {
	t.Parallel()
	needsRoot(t)
	r := selinuxRun(t, enforcing, true, map[string]string{"etc/x": ""})
	r.Target = filepath.Join(r.dir, "nowhere")
	check(t, r.startLabels())
	check(t, r.Root.WriteFile("/etc/new", nil, rootfs.Attr{}))
	root := r.Root
	check(t, finishLabels(t.Context(), r.Run))
	if !root.Has(autorelabel) || len(r.warnings) != 1 {
		t.Errorf("warnings %q, %s is there: %t", r.warnings, autorelabel, root.Has(autorelabel))
	}
}
