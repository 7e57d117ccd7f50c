package task

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"snf-image/internal/guest/rootfs"
	"snf-image/internal/report"
	"snf-image/internal/spec"
	"snf-image/tests/systems"
	"snf-image/tests/tree"
)

// ours are the tasks that make a machine its administrator's.
var ours = []string{spec.AssignHostname, spec.ChangeMachineID, spec.ChangePassword, spec.DeleteSSHKeys}

// onSystem makes a Run of these tasks on a system's tree, with everything they may be asked
// for.
func onSystem(t *testing.T, id string, more map[string]string) (*Run, tree.Tree) {
	t.Helper()
	made := systems.Find(t, id).Make(t, more)
	r := newImageRun(t, nil).Run
	root, err := rootfs.Open(made.Dir)
	check(t, err)
	t.Cleanup(func() { check(t, root.Close()) })
	r.Root, r.Target = root, made.Dir
	r.Plan.Mode, r.Plan.InstanceName, r.Plan.Users = spec.ModeDeploy, "web1.example.org", []string{"root", "boss"}
	r.Plan.CreateUsers, r.Plan.SSHPasswordLogin = true, true
	r.Credentials = &spec.Credentials{
		Hashes: map[string]spec.Secret{"root": "$6$x", "boss": "$6$x"}, AuthorizedKeys: []string{"ssh-ed25519 AAAA"},
		HostKeys: []spec.HostKey{{Type: "rsa", Private: "x"}, {Type: "ecdsa", Private: "x"}, {Type: "ed25519", Private: "x"}},
	}
	r.Plan.Tasks = ours
	return r, made
}

// TestExcludedOnSystems leaves out one task of each system after the other, and what it would
// have done; the others are done.
func TestExcludedOnSystems(t *testing.T) {
	t.Parallel()
	for _, s := range systems.All(t) {
		for _, left := range append(slices.Clone(ours), "") {
			t.Run(s.ID+" "+left, func(t *testing.T) {
				t.Parallel()
				r, made := onSystem(t, s.ID, nil)
				r.Plan.Exclude = map[string]string{left: "EXCLUDE_TASK"}
				_, results, err := runPlan(t, r.Plan, r)
				check(t, err)
				for _, result := range results {
					excluded := result.Name == left || result.Name == spec.DeleteSSHKeys && !r.Root.Has("/etc/ssh")
					if skipped := result.Outcome == report.Skipped; skipped != excluded {
						t.Errorf("%s: %s %s", result.Name, result.Outcome, result.Reason)
					}
				}
				checkDone(t, r, made, left)
			})
		}
	}
}

// checkDone looks for one effect of each task but the one that was left out.
func checkDone(t *testing.T, r *Run, made tree.Tree, left string) {
	t.Helper()
	for task, did := range map[string]bool{
		spec.ChangePassword: r.Root.Has("/home/boss/.ssh/authorized_keys") && r.Root.Has("/root/.ssh/authorized_keys"),
		spec.AssignHostname: slices.ContainsFunc([]string{"etc/hostname", "etc/HOSTNAME", "etc/conf.d/hostname"}, func(p string) bool {
			return r.Root.Has("/"+p) && slices.Contains([]string{"web1.example.org\n", "# Set to the hostname of this machine\nhostname=\"web1.example.org\"\n"}, made.Content(t, p))
		}),
		spec.ChangeMachineID: !seeded(r),
		spec.DeleteSSHKeys:   r.Root.Has("/etc/ssh/ssh_host_ed25519_key"),
	} {
		if task == spec.DeleteSSHKeys && !r.Root.Has("/etc/ssh") {
			continue
		}
		if want := task != left; did != want {
			t.Errorf("%s did its work: %v, want %v", task, did, want)
		}
	}
}

// seeded reports whether the random seed of the image is there.
func seeded(r *Run) bool {
	return slices.ContainsFunc([]string{
		"/var/lib/systemd/random-seed", "/var/lib/seedrng/seed.credit", "/var/lib/misc/random-seed", "/var/lib/random-seed", "/etc/random-seed",
	}, r.Root.Has)
}

// TestReplacedOnSystem has a program of the image take the place of each task, once instead of
// it and once around it.
func TestReplacedOnSystem(t *testing.T) {
	t.Parallel()
	needsRoot(t)
	for _, task := range ours {
		for status, does := range map[string]bool{"0": false, "101": true} {
			t.Run(task+" "+status, func(t *testing.T) {
				t.Parallel()
				const dir = "root/snf-image/helper/overwrite_task_"
				r, made := onSystem(t, "leap-16", map[string]string{
					dir + task: "#!/bin/sh\necho $1 >>\"$SNF_IMAGE_TARGET/called\"\n[ $1 = post-exec ] || exit " + status + "\n",
				})
				check(t, os.Chmod(filepath.Join(made.Dir, dir+task), 0o755))
				r.Plan.OverwriteTasks = true
				_, _, err := runPlan(t, r.Plan, r)
				check(t, err)
				left, want := task, "pre-exec\n"
				if does {
					left, want = "", "pre-exec\npost-exec\n"
				}
				checkDone(t, r, made, left)
				if diff := cmp.Diff(want, made.Content(t, "called")); diff != "" {
					t.Errorf("calls (-want +got):\n%s", diff)
				}
			})
		}
	}
}
