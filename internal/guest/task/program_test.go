package task

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"snf-image/internal/command"
	"snf-image/internal/report"
	"snf-image/internal/spec"
)

func TestEnvironment(t *testing.T) {
	t.Parallel()
	r := newImageRun(t, nil)
	r.Target = "/target"
	r.Disks = []Disk{{Path: "/dev/disk0p"}, {Path: "/dev/disk1p"}}
	r.Resize = r.Disks[0].Volume(2)
	r.Plan = &spec.Plan{
		InstanceName: "web1", Format: "diskdump", DefaultNIC: "dhcp", DHCPTags: []string{"a", "b"},
		StatefulTags: []string{"c"}, StatelessTags: []string{"d"},
		Properties: map[string]string{"OSFAMILY": "linux", "bad-name": "x", "NUL": "a\x00b", "LONG": strings.Repeat("x", 1<<17)},
		NICs:       []spec.NIC{{MAC: "aa:bb", IP: "10.0.0.1", Network: "net1", Subnet: "10.0.0.0/8", Tags: []string{"x", "y"}}, {}},
	}
	r.Credentials.Environment = map[string]spec.Secret{"SNF_IMAGE_PASSWD": "geheim\nx"}
	env, dropped := environment(r.Run)
	want := []string{
		"SNF_IMAGE_CLOUD_INIT_DEBUG=no",
		"SNF_IMAGE_DEFAULT_NIC_CONFIG=dhcp", "SNF_IMAGE_DEV=/dev/disk0p", "SNF_IMAGE_DEV_0=/dev/disk0p", "SNF_IMAGE_DEV_1=/dev/disk1p",
		"SNF_IMAGE_DEV_COUNT=2", "SNF_IMAGE_DHCP_TAGS=a b", "SNF_IMAGE_HOSTNAME=web1",
		"SNF_IMAGE_NIC_0_IP=10.0.0.1", "SNF_IMAGE_NIC_0_MAC=aa:bb", "SNF_IMAGE_NIC_0_NETWORK_NAME=net1",
		"SNF_IMAGE_NIC_0_NETWORK_SUBNET=10.0.0.0/8", "SNF_IMAGE_NIC_0_NETWORK_TAGS=x y", "SNF_IMAGE_NIC_COUNT=2",
		"SNF_IMAGE_PASSWD=geheim\nx", "SNF_IMAGE_PROPERTY_OSFAMILY=linux", "SNF_IMAGE_RESIZE_PART=2",
		"SNF_IMAGE_STATEFUL_DHCPV6_TAGS=c", "SNF_IMAGE_STATELESS_DHCPV6_TAGS=d", "SNF_IMAGE_TARGET=/target", "SNF_IMAGE_TYPE=diskdump",
	}
	if diff := cmp.Diff(want, env); diff != "" {
		t.Errorf("environment (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"SNF_IMAGE_PROPERTY_LONG", "SNF_IMAGE_PROPERTY_NUL"}, dropped); diff != "" {
		t.Errorf("dropped (-want +got):\n%s", diff)
	}
}

func TestRunCustomTask(t *testing.T) {
	t.Parallel()
	needsRoot(t)
	for title, c := range map[string]struct {
		script string
		err    string
		file   string // written in the image
		log    string
	}{
		"works":               {"#!/bin/bash\nset -e\n[ $# -eq 0 ]\nprintf %s \"$SNF_IMAGE_HOSTNAME\" > \"$SNF_IMAGE_TARGET/out\"\necho done it", "", "web1", "done it"},
		"shell arguments":     {"#!/bin/sh -e\nfalse\n", "exit status 1", "", ""},
		"fails":               {"#!/bin/sh\necho first; echo why it failed >&2\nexit 7\n", "exit status 7", "", "why it failed"},
		"killed":              {"#!/bin/sh\nsh -c 'kill -9 $PPID'; exit 3\n", "exit status", "", ""},
		"no stdin":            {"#!/bin/sh\ncat > $SNF_IMAGE_TARGET/out; printf read >> $SNF_IMAGE_TARGET/out", "", "read", ""},
		"no network":          {"#!/bin/sh\nls /sys/class/net | wc -l >/dev/null; ip route 2>/dev/null | head -1 > $SNF_IMAGE_TARGET/out; printf none >> $SNF_IMAGE_TARGET/out", "", "none", ""},
		"is process 1":        {"#!/bin/sh\nprintf %s $$ > $SNF_IMAGE_TARGET/out", "", "1", ""},
		"secrets are hidden":  {"#!/bin/sh\necho pw $SNF_IMAGE_PASSWD", "", "", "pw [secret]"},
		"missing interpreter": {"#!/usr/bin/zsh-none -x\n", "its interpreter /usr/bin/zsh-none is not in the helper", "", ""},
		"missing in env":      {"#!/usr/bin/env nonesuch\n", "its interpreter nonesuch is not in the helper", "", ""},
		"no program":          {"echo hello\n", "neither a script", "", ""},
		"broken ELF":          {"\x7fELF rubbish", "exec format error", "", ""},
	} {
		t.Run(title, func(t *testing.T) {
			t.Parallel()
			r := newImageRun(t, nil)
			r.Plan.InstanceName = "web1"
			r.Plan.Debug = true
			r.Credentials.CustomTask = []byte(c.script)
			r.Credentials.Environment = map[string]spec.Secret{"SNF_IMAGE_PASSWD": "geheim"}
			wants(t, r.do(t, runCustomTask), c.err)
			if c.file != "" && r.content(t, "out") != c.file {
				t.Errorf("out = %q, want %q", r.content(t, "out"), c.file)
			}
			if !strings.Contains(r.log.String(), c.log) || strings.Contains(r.log.String(), "geheim") {
				t.Errorf("log %q, want %q and no secret", r.log.String(), c.log)
			}
		})
	}
	r := newImageRun(t, nil)
	if _, skipped := errors.AsType[*Skipped](r.do(t, runCustomTask)); !skipped {
		t.Error("no program, want skipped")
	}
}

// TestProgramOutputStaysOutOfErrors runs programs that trace their secrets, one of them
// the image's, and fail. The error has nothing of it, and the log only what IMAGE_DEBUG
// asks for, redacted.
func TestProgramOutputStaysOutOfErrors(t *testing.T) {
	t.Parallel()
	needsRoot(t)
	const script = "#!/bin/bash\nset -x\n: \"$SNF_IMAGE_PASSWD\"\nprintf %s \"$SNF_IMAGE_PASSWD\" | base64\necho 'root:$6$hash$hash:1' some words\nexit 9\n"
	for title, run := range map[string]func(r imageRun) error{
		"CUSTOM_TASK": func(r imageRun) error {
			r.Credentials.CustomTask = []byte(script)
			return runCustomTask(t.Context(), r.Run)
		},
		"program of the image": func(r imageRun) error {
			return overwritten(t.Context(), r.Run, "AssignHostname", func(context.Context, *Run) error { return nil })
		},
	} {
		for _, debug := range []bool{false, true} {
			r := newImageRun(t, map[string]string{"root/snf-image/helper/overwrite_task_AssignHostname": script})
			check(t, os.Chmod(filepath.Join(r.dir, "root/snf-image/helper/overwrite_task_AssignHostname"), 0o755))
			r.Plan.Debug = debug
			r.Credentials.Environment = map[string]spec.Secret{"SNF_IMAGE_PASSWD": "it's geheim"}
			r.Credentials.Hashes = map[string]spec.Secret{"root": "$6$hash$hash"}
			err := run(r)
			remedied, ok := errors.AsType[*Remedied](err)
			if !ok || !strings.HasSuffix(err.Error(), ": exit status 9") {
				t.Errorf("%s: error %v, want the status alone", title, err)
				continue
			}
			if strings.Contains(remedied.Remedy, "IMAGE_DEBUG=yes") == debug {
				t.Errorf("%s, debug %v: remedy %q", title, debug, remedied.Remedy)
			}
			log := r.log.String()
			if strings.Contains(log, "some words") != debug || strings.Contains(log, "root:[secret]:1") != debug {
				t.Errorf("%s: with debug %v the log is %s", title, debug, log)
			}
			for _, secret := range []string{"geheim", "aXQncyBnZWhlaW0", "$6$"} {
				if strings.Contains(log, secret) {
					t.Errorf("%s: the log has %s: %s", title, secret, log)
				}
			}
		}
	}
}

// What a program leaves running ends with it, and it ends with its context.
func TestProgramChildrenEnd(t *testing.T) {
	t.Parallel()
	needsRoot(t)
	r := newImageRun(t, nil)
	// The child holds its end of a pipe while it lives; the pipe is seen from
	// outside as a lock on a file.
	r.Credentials.CustomTask = []byte("#!/bin/bash\n(exec setsid sleep 1000) >/dev/null 2>&1 &\nfor p in /proc/[0-9]*; do :; done\nreadlink /proc/self > $SNF_IMAGE_TARGET/parent\nexit 0\n")
	check(t, r.do(t, runCustomTask))
	if pids := sleepers(t, r.dir); len(pids) > 0 {
		t.Errorf("still running: %v", pids)
	}

	r = newImageRun(t, nil)
	r.Credentials.CustomTask = []byte("#!/bin/bash\necho x > $SNF_IMAGE_TARGET/started\nsleep 1000 & sleep 1000\n")
	ctx, cancel := context.WithCancelCause(t.Context())
	stop := errors.New("enough")
	done := make(chan error, 1)
	go func() { done <- runCustomTask(ctx, r.Run) }()
	waitFor(t, func() bool { _, err := os.Stat(filepath.Join(r.dir, "started")); return err == nil })
	cancel(stop)
	if err := <-done; !errors.Is(err, stop) {
		t.Errorf("error %v, want %v", err, stop)
	}
	if pids := sleepers(t, r.dir); len(pids) > 0 {
		t.Errorf("still running: %v", pids)
	}
}

// sleepers returns the processes that have target in their environment.
func sleepers(t *testing.T, target string) []int {
	t.Helper()
	dirs, err := filepath.Glob("/proc/[0-9]*")
	check(t, err)
	var pids []int
	for _, dir := range dirs {
		env, err := os.ReadFile(dir + "/environ")
		if err == nil && strings.Contains(string(env), "SNF_IMAGE_TARGET="+target) {
			pid, _ := strconv.Atoi(filepath.Base(dir))
			pids = append(pids, pid)
		}
	}
	return pids
}

func waitFor(t *testing.T, ready func() bool) {
	t.Helper()
	for n := 0; !ready(); n++ {
		if t.Context().Err() != nil || n > 2000 {
			t.Fatal("it did not happen")
		}
		if _, err := command.Run(t.Context(), command.Cmd{Args: []string{"sleep", "0.01"}}); err != nil {
			t.Fatal(err)
		}
	}
}

func TestOverwritten(t *testing.T) {
	t.Parallel()
	needsRoot(t)
	const dir = "root/snf-image/helper/"
	record := "#!/bin/sh\necho $1 >> $SNF_IMAGE_TARGET/calls\n"
	for title, c := range map[string]struct {
		file   string
		script string
		mode   os.FileMode
		task   error
		calls  string
		err    string
	}{
		"none":             {"other", record, 0o755, nil, "task\n", ""},
		"replaces":         {"overwrite_task_AssignHostname", record, 0o755, nil, "pre-exec\n", ""},
		"any case, deeper": {"x/OVERWRITE_TASK_assignhostname", record, 0o755, nil, "pre-exec\n", ""},
		"around":           {"overwrite_task_AssignHostname", record + "[ $1 = pre-exec ] && exit 101; exit 0", 0o755, nil, "pre-exec\ntask\npost-exec\n", ""},
		"around a skip":    {"overwrite_task_AssignHostname", record + "[ $1 = pre-exec ] && exit 101; exit 0", 0o755, Skip("nothing"), "pre-exec\ntask\npost-exec\n", "nothing"},
		"task fails":       {"overwrite_task_AssignHostname", record + "[ $1 = pre-exec ] && exit 101; exit 0", 0o755, errors.New("task broke"), "pre-exec\ntask\n", "task broke"},
		"pre-exec fails":   {"overwrite_task_AssignHostname", record + "exit 1", 0o755, nil, "pre-exec\n", "pre-exec: "},
		"post-exec fails":  {"overwrite_task_AssignHostname", record + "exit 101", 0o755, nil, "pre-exec\ntask\npost-exec\n", "post-exec: "},
		"not executable":   {"overwrite_task_AssignHostname", record, 0o644, nil, "task\n", ""},
	} {
		t.Run(title, func(t *testing.T) {
			t.Parallel()
			r := newImageRun(t, map[string]string{dir + c.file: c.script})
			check(t, os.Chmod(filepath.Join(r.dir, dir, c.file), c.mode))
			wants(t, r.do(t, func(ctx context.Context, run *Run) error {
				return overwritten(ctx, run, "AssignHostname", func(context.Context, *Run) error {
					f, err := os.OpenFile(filepath.Join(r.dir, "calls"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
					check(t, err)
					_, err = f.WriteString("task\n")
					check(t, errors.Join(err, f.Close()))
					return c.task
				})
			}), c.err)
			if got := r.content(t, "calls"); got != c.calls {
				t.Errorf("calls %q, want %q", got, c.calls)
			}
		})
	}
}

// TestOverwrittenUnattend: a program that stands for InstallUnattend does not tell Windows where
// its recovery environment lies now.
func TestOverwrittenUnattend(t *testing.T) {
	t.Parallel()
	needsRoot(t)
	const file = "root/snf-image/helper/overwrite_task_InstallUnattend"
	r := newImageRun(t, map[string]string{file: "#!/bin/sh\n"})
	check(t, os.Chmod(filepath.Join(r.dir, file), 0o755))
	r.RecoveryMoved = 4
	check(t, r.do(t, func(ctx context.Context, run *Run) error {
		return overwritten(ctx, run, spec.InstallUnattend, func(context.Context, *Run) error { return errors.New("it ran") })
	}))
	if len(r.warnings) != 1 || !strings.Contains(r.warnings[0], "reagentc /enable") {
		t.Errorf("warnings %q", r.warnings)
	}
}

// TestOverwrittenForeign: a program may stand for a task that is not for the system.
func TestOverwrittenForeign(t *testing.T) {
	t.Parallel()
	needsRoot(t)
	const file = "root/snf-image/helper/overwrite_task_DisableRemoteDesktopConnections"
	for status, want := range map[string]struct {
		outcome report.Outcome
		calls   string
	}{
		"0":   {report.Done, "pre-exec\n"},
		"101": {report.Skipped, "pre-exec\npost-exec\n"},
	} {
		r := newImageRun(t, map[string]string{file: "#!/bin/sh\necho $1 >> $SNF_IMAGE_TARGET/calls\n[ $1 = post-exec ] || exit " + status + "\n"})
		check(t, os.Chmod(filepath.Join(r.dir, file), 0o755))
		r.Plan.OverwriteTasks, r.Plan.Tasks = true, []string{spec.DisableRemoteDesktopConnections}
		_, results, err := runPlan(t, r.Plan, r.Run)
		check(t, err)
		if calls := r.content(t, "calls"); results[0].Outcome != want.outcome || calls != want.calls {
			t.Errorf("status %s: %+v and calls %q, want %s and %q", status, results[0], calls, want.outcome, want.calls)
		}
	}
}

// TestOverwrittenIdle: a program may stand for a task that nothing asks for. Without one that is
// left out.
func TestOverwrittenIdle(t *testing.T) {
	t.Parallel()
	needsRoot(t)
	const file = "root/snf-image/helper/overwrite_task_AddSwap"
	r := newImageRun(t, map[string]string{file: "#!/bin/sh\necho $1 >> $SNF_IMAGE_TARGET/calls\n"})
	check(t, os.Chmod(filepath.Join(r.dir, file), 0o755))
	r.Plan.OverwriteTasks = true
	r.Plan.Tasks = []string{spec.AddSwap, spec.RunCustomTask}
	r.Plan.Idle = r.Plan.Tasks
	_, results, err := runPlan(t, r.Plan, r.Run)
	check(t, err)
	if calls := r.content(t, "calls"); calls != "pre-exec\n" || results[0].Outcome != report.Done || results[1].Outcome != report.Skipped || results[1].Reason != "nothing asks for it" {
		t.Errorf("calls %q, results %+v", calls, results)
	}
	if r.wanted(spec.AddSwap) {
		t.Error("AddSwap is wanted")
	}
}

// Links to programs elsewhere, in the helper above all, do not count.
func TestOverwrittenHostile(t *testing.T) {
	t.Parallel()
	for title, files := range map[string]map[string]string{
		"link":           {"root/snf-image/helper/overwrite_task_X": "-> /bin/true"},
		"FIFO":           {"root/snf-image/helper/overwrite_task_X": "FIFO"},
		"directory loop": {"root/snf-image/helper": "-> helper"},
		"linked loop":    {"root/snf-image/helper/sub": "-> ."},
		"leads out":      {"root/snf-image": "-> OUTSIDE"},
	} {
		t.Run(title, func(t *testing.T) {
			t.Parallel()
			r := newImageRun(t, files)
			if got := findOverwrite(r.Root, overwriteDir, "overwrite_task_X", 0); got != "" {
				t.Errorf("found %q", got)
			}
		})
	}
}

// A program that others than root may have written does not run, and neither
// does the task it stands for.
func TestOverwrittenByOthers(t *testing.T) {
	t.Parallel()
	needsRoot(t)
	const file = "root/snf-image/helper/overwrite_task_X"
	for title, c := range map[string]struct {
		own  map[string]string
		want string
	}{
		"program of ann's":        {map[string]string{file: "755 1000"}, "can be written by others than root"},
		"program for all":         {map[string]string{file: "777 0"}, "can be written by others than root"},
		"directory of ann's":      {map[string]string{"root/snf-image": "755 1000"}, "/root/snf-image belongs to uid 1000, not to root"},
		"program of ann's in all": {map[string]string{"root/snf-image/helper": "1777 0", file: "755 1000"}, "/root/snf-image/helper/overwrite_task_X belongs to uid 1000"},
	} {
		t.Run(title, func(t *testing.T) {
			t.Parallel()
			r := newImageRun(t, map[string]string{file: "#!/bin/sh\necho ran >> $SNF_IMAGE_TARGET/calls\n"})
			check(t, os.Chmod(filepath.Join(r.dir, file), 0o755))
			r.own(t, c.own)
			ran := false
			err := r.do(t, func(ctx context.Context, run *Run) error {
				return overwritten(ctx, run, "X", func(context.Context, *Run) error { ran = true; return nil })
			})
			wants(t, err, c.want)
			if _, err := os.Stat(filepath.Join(r.dir, "calls")); ran || err == nil {
				t.Error("it ran")
			}
		})
	}
}
