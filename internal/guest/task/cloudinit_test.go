package task

import (
	"path"
	"slices"
	"strings"
	"testing"

	"snf-image/internal/guest/rootfs"
	"snf-image/internal/report"
	"snf-image/internal/spec"
	"snf-image/tests/support"
	"snf-image/tests/systems"
	"snf-image/tests/tree"
)

// cloudTasks are those that cloud-init does, after the one that begins with it.
var cloudTasks = []string{
	spec.InitializeDatasource, spec.AddSwap, spec.AssignHostname, spec.ChangeMachineID, spec.ChangePassword, spec.ConfigureNetwork, spec.DeleteSSHKeys, spec.EnforcePersonality,
}

// byNetplan are the systems whose cloud-init writes the network.
var byNetplan = []string{"debian-12", "debian-13", "ubuntu"}

// onCloud makes a Run of a system in the cloud-init mode.
func onCloud(t *testing.T, id string) (*Run, tree.Tree) {
	t.Helper()
	more := map[string]string{"etc/cloud/cloud.cfg.d/05_logging.cfg": "", "etc/hosts": "127.0.0.1 localhost\n127.0.1.1 image\n"}
	if slices.Contains(byNetplan, id) { // as package network has them
		more["usr/sbin/netplan"], more["etc/systemd/system/multi-user.target.wants/systemd-networkd.service"] = "", "-> x"
	}
	r, made := onSystem(t, id, more)
	r.Plan.CloudInit, r.Plan.InstanceID, r.Plan.Tasks = true, "i-1", cloudTasks
	r.Plan.Swap = &spec.Swap{Partition: 3, MiB: 64}
	r.Plan.NICs = []spec.NIC{{MAC: "52:54:00:00:00:01", IP: "192.0.2.2", Subnet: "192.0.2.0/24", Gateway: "192.0.2.1"}}
	r.Credentials.UserData = "#!/bin/sh\n"
	r.Credentials.Files = []spec.File{{Path: "/etc/motd", Contents: []byte("hello"), Owner: "not yet", Mode: 0o440}}
	return r, made
}

// TestCloudInitOnSystems leaves every system's files to its cloud-init; those without one are
// refused before anything is changed.
func TestCloudInitOnSystems(t *testing.T) {
	t.Parallel()
	shown := support.Collect(t)
	without := []string{"kubuntu", "gentoo", "void", "slackware"}
	for _, s := range systems.All(t) {
		t.Run(s.ID, func(t *testing.T) {
			t.Parallel()
			needsRoot(t)
			r, made := onCloud(t, s.ID)
			before := made.Content(t, "etc/passwd")
			_, results, err := runPlan(t, r.Plan, r)
			if slices.Contains(without, s.ID) {
				if err == nil || !strings.Contains(err.Error(), "the image has no cloud-init") || len(r.Root.Changed()) > 0 {
					t.Errorf("error %v, changed %v", err, r.Root.Changed())
				}
				return
			}
			check(t, err)
			for _, result := range results {
				if result.Outcome == report.Failed || result.Outcome == report.Skipped {
					t.Errorf("%s: %s %s", result.Name, result.Outcome, result.Reason)
				}
			}
			if made.Content(t, "etc/passwd") != before || r.Root.Has("/home/boss") {
				t.Error("users were made, or changed")
			}
			checkCloud(t, r, made, s.ID)
			shown.Show(s.ID, "cloud-mode", support.Transcribed)
		})
	}
}

// checkCloud looks for what each task tells cloud-init.
func checkCloud(t *testing.T, r *Run, made tree.Tree, system string) {
	t.Helper()
	const settings, seed = "etc/cloud/cloud.cfg.d/98_snf-image-", "var/lib/cloud/seed/nocloud-net/"
	for file, want := range map[string]string{
		settings + "35InitializeDatasource.cfg":                            "datasource_list: [ NoCloud ]\n",
		settings + "50AddSwap.cfg":                                         "size: 67108864\n",
		settings + "50AssignHostname.cfg":                                  "fqdn: web1.example.org\n",
		settings + "50ChangePassword.cfg":                                  "hashed_passwd: $6$x\n",
		settings + "50DeleteSSHKeys.cfg":                                   "ed25519_private: x\n",
		seed + "meta-data":                                                 "public-keys:\n    - ssh-ed25519 AAAA\n",
		seed + "user-data":                                                 "#!/bin/sh\n",
		"var/lib/snf-image/personality/0":                                  "hello",
		"var/lib/cloud/scripts/per-once/98_snf-image-60EnforcePersonality": "put /var/lib/snf-image/personality/0 '/etc/motd' 0440 'not yet' 0\n",
	} {
		if got := made.Content(t, file); !strings.Contains(got, want) {
			t.Errorf("%s: %q, want %q", file, got, want)
		}
	}
	seeded := r.Root.Has("/" + seed + "network-config")
	if native := r.Root.Has("/" + settings + "50ConfigureNetwork.cfg"); seeded == native || seeded != slices.Contains(byNetplan, system) {
		t.Errorf("network by cloud-init %v, by ourselves %v", seeded, native)
	}
	if !r.Root.Has("/root/.ssh/authorized_keys") || r.Root.Has("/etc/cloud/cloud-init.disabled") {
		t.Error("no keys for the user that is there, or cloud-init is disabled")
	}
}

// TestCloudInitUsers has users that the image lacks.
func TestCloudInitUsers(t *testing.T) {
	t.Parallel()
	needsRoot(t)
	for user, want := range map[string]string{"debian": "", "boss": `no user "boss"`, "root": ""} {
		r, _ := onCloud(t, "debian-12")
		r.Plan.Users, r.Plan.CreateUsers = []string{user}, false
		_, _, err := runPlan(t, r.Plan, r)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: error %v, want %q", user, err, want)
		}
		r, _ = onCloud(t, "debian-12")
		r.Plan.Users, r.Plan.CreateUsers, r.Plan.Mode = []string{user}, false, spec.ModeCustomize
		if err := Check(t.Context(), r); want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s, before the first write: error %v, want %q", user, err, want)
		}
	}
}

// TestCloudInitKept changes on a machine only what is asked for, whatever cloud-init does with a
// new instance by itself. What it has not made yet, it makes.
func TestCloudInitKept(t *testing.T) {
	t.Parallel()
	needsRoot(t)
	for _, settled := range []bool{true, false} {
		r, made := onCloud(t, "debian-12")
		want := "preserve_hostname: true\nssh_deletekeys: false\nnetwork:\n    config: disabled\n"
		if settled {
			want = strings.Replace(want, "network", "ssh_genkeytypes: [rsa]\nnetwork", 1) + "users: []\n"
			for p, text := range map[string]string{"/var/lib/cloud/data/instance-id": "i-0\n", "/etc/ssh/ssh_host_rsa_key": ""} {
				_, err := r.Root.MkdirAll(path.Dir(p), rootfs.Attr{Mode: 0o755})
				check(t, err)
				check(t, r.Root.WriteFile(p, []byte(text), rootfs.Attr{Mode: 0o600}))
			}
		}
		r.Plan.Mode, r.Plan.Tasks = spec.ModeCustomize, []string{spec.InitializeDatasource, spec.EnforcePersonality}
		_, _, err := runPlan(t, r.Plan, r)
		check(t, err)
		if got := made.Content(t, "etc/cloud/cloud.cfg.d/98_snf-image-35InitializeDatasource.cfg"); !strings.HasSuffix(got, want) {
			t.Errorf("settings %q, want %q", got, want)
		}
		if got := made.Content(t, "var/lib/cloud/seed/nocloud-net/meta-data"); got != "instance-id: i-1\n" {
			t.Errorf("meta-data %q", got)
		}
	}
}

// TestUnsettled warns of a cloud-init that would undo what is done to a machine that it has not
// configured, and of nothing else.
func TestUnsettled(t *testing.T) {
	t.Parallel()
	needsRoot(t)
	for title, c := range map[string]struct {
		change func(r *Run)
		warned bool
	}{
		"copied":          {func(*Run) {}, true},
		"a file alone":    {func(r *Run) { r.Plan.Tasks = []string{spec.EnforcePersonality} }, false},
		"left to run":     {func(r *Run) { r.Plan.LeaveCloudInit = true }, false},
		"to cloud-init":   {func(r *Run) { r.Plan.CloudInit = true }, false},
		"configured once": {func(r *Run) { settle(t, r, "/var/lib/cloud/data/instance-id") }, false},
		"kept off":        {func(r *Run) { settle(t, r, "/etc/cloud/cloud-init.disabled") }, false},
	} {
		r, _ := onCloud(t, "debian-12")
		r.Plan.Mode, r.Plan.CloudInit = spec.ModeCustomize, false
		c.change(r)
		check(t, r.settleCloudInit())
		if warned := strings.Contains(strings.Join(r.warnings, " "), "CLOUD_INIT=leave"); warned != c.warned {
			t.Errorf("%s: warnings %q, want one: %v", title, r.warnings, c.warned)
		}
	}
}

// settle makes a file as cloud-init, or who keeps it off, does.
func settle(t *testing.T, r *Run, p string) {
	t.Helper()
	_, err := r.Root.MkdirAll(path.Dir(p), rootfs.Attr{Mode: 0o755})
	check(t, err)
	check(t, r.Root.WriteFile(p, nil, rootfs.Attr{Mode: 0o644}))
}

// TestCheckBeside refuses what the first boot of a machine, which waits for it, would undo, before
// anything is written. What is not asked for is not refused, nor what is told to cloud-init.
func TestCheckBeside(t *testing.T) {
	t.Parallel()
	needsRoot(t)
	r, _ := onCloud(t, "debian-12")
	_, _, err := runPlan(t, r.Plan, r)
	check(t, err)
	r.Plan.Mode, r.Plan.CloudInit = spec.ModeCustomize, false
	r.Credentials.Files[0].Owner = ""
	changed := len(r.Root.Changed())
	const all = "ChangePassword ConfigureNetwork DeleteSSHKeys EnforcePersonality"
	for title, c := range map[string]struct {
		change  func(r *Run)
		refused string
	}{
		"everything":    {func(*Run) {}, all},
		"to cloud-init": {func(r *Run) { r.Plan.CloudInit = true }, ""},
		"a deployment":  {func(r *Run) { r.Plan.Mode = spec.ModeDeploy }, ""},
		"nothing to do": {func(r *Run) {
			*r.Credentials, r.Plan.NICs, r.Plan.DefaultNIC = spec.Credentials{HostKeys: r.Credentials.HostKeys}, []spec.NIC{{}}, ""
		}, "DeleteSSHKeys"},
		"another file":    {func(r *Run) { r.Credentials.Files = []spec.File{{Path: "/etc/issue"}} }, strings.TrimSuffix(all, " EnforcePersonality")},
		"left to run":     {func(r *Run) { r.Plan.LeaveCloudInit = true }, all},
		"left out by one": {func(r *Run) { r.Plan.Exclude = map[string]string{spec.ChangePassword: "X"} }, strings.TrimPrefix(all, "ChangePassword ")},
	} {
		plan, credentials := *r.Plan, *r.Credentials
		run := &Run{Plan: &plan, Credentials: &credentials, Inspection: r.Inspection, Root: r.Root, Target: r.Target, Log: r.Log}
		c.change(run)
		var refused []string
		for _, task := range cloudTasks {
			plan.Tasks = []string{task}
			if err := Check(t.Context(), run); err != nil && strings.Contains(err.Error(), task+" cannot be done: the machine was not booted since") {
				refused = append(refused, task)
			}
		}
		if got := strings.Join(refused, " "); got != c.refused {
			t.Errorf("%s: refused are %q, want %q", title, got, c.refused)
		}
	}
	if now := r.Root.Changed(); len(now) != changed {
		t.Errorf("changed: %q", now[changed:])
	}
}

// TestCloudInitElsewhere refuses other families.
func TestCloudInitElsewhere(t *testing.T) {
	t.Parallel()
	r := newImageRun(t, nil).Run
	r.Inspection = &report.Inspection{OSFamily: "freebsd"}
	if err := noDatasource(t.Context(), r); err == nil || !strings.Contains(err.Error(), "not for freebsd") {
		t.Errorf("error %v", err)
	}
}
