package vm

import (
	"strings"
	"testing"

	"snf-image/tests/images"
	"snf-image/tests/oracle"
)

// TestOverwriting has programs of the image stand for tasks: for one that nothing asks for, and
// around one that is done as ever. One that fails ends the deployment.
func TestOverwriting(t *testing.T) {
	const dir, say = "root/snf-image/helper/overwrite_task_", `echo "${0##*_} $1" >> "$SNF_IMAGE_TARGET/root/calls"` + "\n"
	image := images.Debian().With(
		images.Entry{Path: dir + "AddSwap", Mode: 0o755, Data: "#!/bin/bash\n" + say},
		images.Entry{Path: dir + "assignhostname", Mode: 0o755, Data: "#!/bin/bash\n" + say + "[ $1 = post-exec ] || exit 101\n"},
	)
	arguments := []string{"--property", "ALLOW_MOUNTED_TASK_OVERWRITING=yes"}
	j := newJob(t, images.Primary("ext4", image))
	reports := j.dir + "/report.json"
	site.Run(t, j.args(append(arguments, "--report", reports)...)...).OK(t)
	j.done()
	oracle.Sound(t, j.disk)
	for p, want := range map[string]string{
		"/root/calls":   "AddSwap pre-exec\nassignhostname pre-exec\nassignhostname post-exec\n",
		"/etc/hostname": "web1.example.org\n",
	} {
		if got := oracle.ReadFile(t, j.disk, 1, p); got != want {
			t.Errorf("%s: %q, want %q", p, got, want)
		}
	}
	var ended []string
	for _, task := range readReport(t, reports).Tasks {
		if task.Name == "AddSwap" || task.Name == "ChangePassword" {
			ended = append(ended, task.Name+" "+string(task.Outcome)+" "+task.Reason)
		}
	}
	if got := strings.Join(ended, ", "); got != "AddSwap done , ChangePassword skipped nothing asks for it" {
		t.Errorf("tasks: %s", got)
	}

	failing := makeJob(t, images.Primary("ext4", image.With(images.Entry{Path: dir + "ConfigureNetwork", Mode: 0o755, Data: "#!/bin/bash\nexit 3\n"})))
	site.Run(t, failing.args(arguments...)...).Fails(t, 8, "overwrite_task_ConfigureNetwork")
}
