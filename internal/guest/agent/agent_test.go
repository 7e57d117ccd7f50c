package agent

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"snf-image/internal/channel"
	"snf-image/internal/guest/filesystem"
	"snf-image/internal/guest/partition"
	"snf-image/internal/guest/task"
	"snf-image/internal/report"
	"snf-image/internal/spec"
)

// talk returns a conversation with what the host has already said in it.
func talk(t *testing.T, messages ...any) (c *conversation, sent *bytes.Buffer) {
	t.Helper()
	var down bytes.Buffer
	for i := 0; i < len(messages); i += 2 {
		if err := channel.Write(&down, messages[i].(channel.Type), messages[i+1], channel.MaxDown); err != nil {
			t.Fatal(err)
		}
	}
	sent = &bytes.Buffer{}
	return &conversation{w: sent, r: channel.NewAgentReader(&down), nonce: "n"}, sent
}

func TestConversation(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name     string
		messages []any
		text     string
	}{
		{"nothing", nil, "waiting for the plan message: EOF"},
		{"wrong order", []any{channel.DiskReady, channel.DiskReadyBody{}}, `a message "disk-ready", not "plan"`},
		{"another run", []any{channel.Plan, spec.Plan{Nonce: "m"}}, "another run"},
		{"not a plan", []any{channel.Plan, []string{"x"}}, "reading the plan message"},
		{"no disk", []any{channel.Plan, spec.Plan{Nonce: "n"}}, "waiting for the disk-ready message"},
		{"no task of ours", []any{channel.Plan, spec.Plan{Nonce: "n", Tasks: []string{"CopyKernel"}}}, "not in this version: task CopyKernel"},
		{"plan without disks", []any{channel.Plan, spec.Plan{Nonce: "n"}, channel.DiskReady, channel.DiskReadyBody{}}, "the plan has no disk"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c, _ := talk(t, tt.messages...)
			s := &session{host: c}
			if _, err := s.work(t.Context()); err == nil || !strings.Contains(err.Error(), tt.text) {
				t.Errorf("work = %v, want %q", err, tt.text)
			}
		})
	}
}

func TestRunAlwaysHasAResult(t *testing.T) {
	t.Parallel()
	c, _ := talk(t, channel.Plan, spec.Plan{Nonce: "n", Mode: spec.ModeInspect})
	s := &session{host: c}
	if r := s.run(t.Context()); r.Nonce != "n" || !strings.Contains(r.Error, "disk-ready") {
		t.Errorf("result = %+v, want an error", r)
	}
	s = &session{host: &conversation{nonce: "n"}, log: silent()} // no reader: a panic
	if r := s.run(t.Context()); !strings.Contains(r.Error, "internal error of the agent") {
		t.Errorf("result = %+v, want the panic", r)
	}
}

// TestBounds sends more than a frame holds of everything.
func TestBounds(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("ä\x00", 10_000)
	list := make([]string, 5000)
	for i := range list {
		list[i] = fmt.Sprintf("/some/path/%d/%s", i, long[:100])
	}
	tasks := make([]report.TaskResult, 12)
	for i := range tasks {
		tasks[i] = report.TaskResult{Name: "x", Outcome: report.Warned, Reason: long, Warnings: list}
	}
	parts := make([]report.Partition, 128)
	for i := range parts {
		parts[i] = report.Partition{Number: i, Type: biosBoot, Name: strings.Repeat("\x01", 36), UUID: biosBoot}
		parts[i].Contents = report.Contents{Label: strings.Repeat("\x02", 200), Features: list[:60]}
	}
	volumes := make([]report.Volume, 5000)
	for i := range volumes {
		volumes[i] = report.Volume{Group: long[:100], Name: long[:100], Contents: parts[0].Contents}
	}
	c, sent := talk(t)
	c.event(report.Event{Kind: report.Warning, Messages: append(list, long)})
	if err := c.inspected(&report.Inspection{Users: list, Warnings: list, Pretty: long, Partitions: parts, Volumes: volumes}); err != nil {
		t.Error(err)
	}
	if err := c.result(report.Result{Nonce: "n", Error: long, Changed: list, Tasks: tasks}); err != nil {
		t.Error(err)
	}
	r := channel.NewHostReader(sent)
	for _, want := range []channel.Type{channel.Event, channel.Inspected, channel.Result} {
		if m, err := r.Read(); err != nil || m.Type != want {
			t.Errorf("Read = %s, %v, want %s", m.Type, err, want)
		}
	}
	if _, err := r.Read(); !errors.Is(err, io.EOF) {
		t.Errorf("Read = %v, want EOF", err)
	}
}

func TestBoundKeepsWhatFits(t *testing.T) {
	t.Parallel()
	r := boundResult(report.Result{Changed: []string{"/a", "/b"}, Tasks: []report.TaskResult{{Name: "x", Warnings: []string{"w"}}}})
	if len(r.Changed) != 2 || r.Changed[1] != "/b" || len(r.Tasks[0].Warnings) != 1 {
		t.Errorf("boundResult changed a short result: %+v", r)
	}
}

func TestBoundedConsole(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	w := &bounded{w: &b, left: 5}
	for range 3 {
		if n, err := w.Write([]byte("abc")); n != 3 || err != nil {
			t.Errorf("Write = %d, %v, want 3", n, err)
		}
	}
	if b.String() != "abcab" {
		t.Errorf("written %q, want abcab", b.String())
	}
}

func TestFindAttribute(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, serial := range map[string]string{"vda": "disk0\n", "vdb": "disk0head\n", "vdc": "disk0tail"} {
		must(t, os.MkdirAll(filepath.Join(dir, name), 0o755))
		must(t, os.WriteFile(filepath.Join(dir, name, "serial"), []byte(serial), 0o600))
	}
	for serial, want := range map[string]string{"disk0": "/dev/vda", "disk0head": "/dev/vdb", "disk0tail": "/dev/vdc", "disk": "", "": ""} {
		if got, ok := findAttribute(filepath.Join(dir, "vd*/serial"), serial); got != want || ok != (want != "") {
			t.Errorf("findAttribute(%q) = %q, %v, want %q", serial, got, ok, want)
		}
	}
}

func TestUndetected(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		table  []partition.Partition
		types  []string
		text   string
		remedy bool
	}{
		{"f2fs", []partition.Partition{{Number: 1, Type: "83"}}, []string{"f2fs"}, "not in this version: f2fs (partition 1)", true},
		{"encrypted", []partition.Partition{{Number: 1, Type: "83"}}, []string{"crypto_LUKS"}, "not in this version: LUKS encryption (partition 1)", true},
		{"BSD", []partition.Partition{{Number: 1, Type: "a5"}, {Number: 2, Type: "a6"}}, []string{"", ""}, "FreeBSD (partition 1), OpenBSD (partition 2)", false},
		{"nothing", []partition.Partition{{Number: 1, Type: "83"}}, []string{"ext4"}, "no operating system", true},
		{"no file system", []partition.Partition{{Number: 1, Type: "83"}}, []string{""}, "the image is damaged, encrypted or empty", true},
	} {
		var volumes []filesystem.Volume
		for i, kind := range tt.types {
			volumes = append(volumes, filesystem.Volume{Number: i + 1, Type: kind})
		}
		err := undetected(tt.table, volumes, nil)
		_, remedied := errors.AsType[*task.Remedied](err)
		if !strings.Contains(err.Error(), tt.text) || remedied != tt.remedy {
			t.Errorf("%s: undetected = %v (remedy %v)", tt.name, err, remedied)
		}
	}
}

// TestUndetectedTellsWhy: a root file system that cannot be read is not a disk
// without a system.
func TestUndetectedTellsWhy(t *testing.T) {
	t.Parallel()
	err := undetected(nil, []filesystem.Volume{{Number: 1, Type: "ext4"}}, []string{"mounting a: bad", "mounting b: bad", "c", "d"})
	if want := "no operating system is found on the disk (mounting a: bad, mounting b: bad, c)"; err.Error() != want {
		t.Errorf("undetected = %q, want %q", err, want)
	}
}

func TestReadingTheDiskComesLate(t *testing.T) {
	t.Parallel()
	c, sent := talk(t, channel.Plan, spec.Plan{Nonce: "n", Disks: []spec.PlanDisk{{Serial: "none"}}})
	s := &session{host: c} // no device events: looking for a disk would panic
	if _, err := s.work(t.Context()); err == nil || !strings.Contains(err.Error(), "disk-ready") || sent.Len() != 0 {
		t.Errorf("work = %v, want to wait for the disk", err)
	}
}

func silent() *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }
