package vm

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"snf-image/tests/harness"
)

// message is a progress message.
type message struct {
	Type, Subtype, Task string
	Timestamp, Progress float64
	Position, Total     int64
	Messages, Stderr    []string
}

// monitored makes every create of the definition run a shell script as its
// PROGRESS_MONITOR.
func monitored(t *testing.T, j *job, script string) {
	t.Helper()
	path := harness.File(t, j.dir, "monitor", "#!/bin/sh\n"+script+"\n")
	if err := os.Chmod(path, 0o700); err != nil {
		t.Fatal(err)
	}
	harness.File(t, filepath.Join(j.dir, "root/etc/ganeti/snf-image/variants"), "default.conf",
		"IMG_FORMAT=diskdump\nPROGRESS_MONITOR=\""+path+" --to "+j.dir+"/said\"\n")
}

// messages reads what a monitor wrote: JSON objects, one behind the other.
func messages(t *testing.T, file string) []message {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var all []message
	for d := json.NewDecoder(bytes.NewReader(b)); ; {
		var m message
		err := d.Decode(&m)
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil || m.Type == "" || m.Timestamp == 0 {
			t.Fatalf("message %+v: %v", m, err)
		}
		all = append(all, m)
	}
}

// TestGanetiMonitor hands the messages of a create to a program that reads 512
// bytes at a time.
func TestGanetiMonitor(t *testing.T) {
	j, d := newInstance(t)
	monitored(t, j, `exec dd bs=512 of="$2.$3" status=none`)
	out := d.Call(t, "create", gnt(j.disk, osp(nil))).OK(t)
	j.done()
	checkLog(t, out)
	if strings.Contains(out.Stderr, "[MONITOR]") {
		t.Errorf("the messages are in the log as well:\n%s", out.Stderr)
	}
	said := j.dir + "/said.inst1.gnt.test"
	var marks, tasks []string
	var last message
	for _, m := range messages(t, said) {
		switch {
		case m.Type == "image-info":
			marks = append(marks, m.Messages...)
		case m.Type == "image-copy-progress":
			last = m
		case m.Subtype == "task-start" || m.Subtype == "task-end":
			tasks = append(tasks, m.Subtype+" "+m.Task)
		}
	}
	want := []string{
		"copying the image to the disk", "the image is copied", "the helper starts to customize the machine",
		"the helper has ended", "the machine is customized", "the machine is complete",
	}
	if diff := cmp.Diff(want, marks); diff != "" {
		t.Errorf("the steps (-want +got):\n%s", diff)
	}
	if last.Progress != 100 || last.Position != last.Total || last.Total == 0 {
		t.Errorf("the last message about the copy is %+v", last)
	}
	if !slices.Contains(tasks, "task-start ChangePassword") || !slices.Contains(tasks, "task-end UmountImage") {
		t.Errorf("tasks %v", tasks)
	}
	text, err := os.ReadFile(said)
	if err != nil || bytes.Contains(text, []byte(j.dir)) || bytes.Contains(text, []byte(canary)) {
		t.Errorf("the owner is shown the node or a secret: %s, %v", text, err)
	}
}

// TestGanetiMonitorMisbehaves has monitors that are of no use. They change nothing
// about the deployment, and nothing of them stays.
func TestGanetiMonitorMisbehaves(t *testing.T) {
	j, d := newInstance(t)
	env := gnt(j.disk, osp(map[string]string{"OSP_IMG_ID": "null", "OSP_IMG_PROPERTIES": `{"EXCLUDE_ALL_TASKS": "yes"}`}))
	for script, want := range map[string]string{
		"exit 1":                          "",
		"sleep 1000 & wait":               "is killed",
		"while echo spam >&2; do :; done": "is left out",
	} {
		monitored(t, j, script)
		out := d.Call(t, "create", env).OK(t)
		if !strings.Contains(out.Stderr, want) {
			t.Errorf("%s: the log says nothing of it:\n%s", script, out.Stderr)
		}
		checkLog(t, out)
		harness.NothingLeft(t, j.disk, j.image)
	}
	monitored(t, j, "exit 1")
	if err := os.Remove(filepath.Join(j.dir, "monitor")); err != nil {
		t.Fatal(err)
	}
	out := d.Call(t, "create", env).OK(t)
	if !strings.Contains(out.Stderr, "PROGRESS_MONITOR: ") || !strings.Contains(out.Stderr, "[MONITOR] ") {
		t.Errorf("without the program the messages are not in the log:\n%s", out.Stderr)
	}
	// A failure is told, too.
	monitored(t, j, `exec dd bs=512 of="$2.$3" status=none`)
	d.Call(t, "create", gnt(j.disk, osp(map[string]string{"OSP_IMG_ID": "gone"}))).Fails(t, 3, "gone")
	all := messages(t, j.dir+"/said.inst1.gnt.test")
	if n := len(all); n == 0 || all[n-1].Type != "image-error" || strings.Contains(strings.Join(all[n-1].Messages, " "), "/") {
		t.Errorf("the owner is told %+v", all)
	}
}
