package deploy

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"snf-image/internal/channel"
	"snf-image/internal/host/admission"
	"snf-image/internal/host/config"
	"snf-image/internal/host/helper"
	"snf-image/internal/host/session"
	"snf-image/internal/report"
	"snf-image/internal/spec"
	"snf-image/tests/require"
)

// imageSize is the size of an image of imageByte alone, and diskSize that of its disk.
const (
	imageByte = 0xa5
	imageSize = 5 << 20
	diskSize  = 8 << 20
)

// sink keeps what the owner learns.
type sink struct {
	mu    sync.Mutex
	texts []string
}

func (s *sink) Send(m report.Message) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if m.Type != report.ImageCopyProgress {
		s.texts = append(s.texts, strings.Join(append(m.Messages, m.Stderr...), " "))
	}
}

// testSettings are those of a node with memory and a helper image, where QEMU is the
// fake one.
func testSettings(t *testing.T) session.Settings {
	t.Helper()
	proc, images := t.TempDir(), t.TempDir()
	if err := os.WriteFile(filepath.Join(proc, "meminfo"), []byte("MemTotal: 4000000 kB\nMemAvailable: 4000000 kB\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	vmlinux, initramfs, copyright := []byte("kernel"), []byte("initramfs"), []byte("copyright")
	m := &helper.Manifest{
		Schema: helper.ManifestSchema, Release: "1.0", Protocol: channel.Version, Flavour: helper.DebianCloud,
		Suite: "trixie", Newest: "2026-01-31", Kernel: "6.1", Contents: fakeContents,
		Vmlinux: helper.NewFile("vmlinux", vmlinux), Initramfs: helper.NewFile("initramfs", initramfs), Copyright: helper.NewFile("copyright", copyright),
	}
	store, err := helper.OpenStore(images)
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	temp, err := store.Temp()
	if err != nil {
		t.Fatal(err)
	}
	err = store.Publish(temp, m, map[string][]byte{m.Vmlinux.Name: vmlinux, m.Initramfs.Name: initramfs, m.Copyright.Name: copyright})
	if err != nil {
		t.Fatal(err)
	}
	return session.Settings{
		Config: &config.Config{
			QEMU: "/proc/self/exe", HelperDir: images, HelperMemory: 64, VersionCheck: true,
			HelperSoftTimeout: time.Minute, HelperHardTimeout: time.Second, Wipe: "auto",
		},
		Release: "1.0", Log: slog.New(slog.DiscardHandler),
		Node: session.Node{Node: admission.Node{Proc: proc}},
	}
}

// deployment is a Request for a new disk file.
func deployment(t *testing.T) (Request, *sink) {
	t.Helper()
	dir := t.TempDir()
	image := filepath.Join(dir, "image")
	if err := os.WriteFile(image, bytes.Repeat([]byte{imageByte}, imageSize), 0o600); err != nil {
		t.Fatal(err)
	}
	s := new(sink)
	return Request{
		Settings: testSettings(t), Sink: s,
		Spec: &spec.Spec{
			Mode: spec.ModeDeploy, Name: "web1", Image: image, Format: spec.DiskDump,
			Disks: []spec.Disk{{Path: filepath.Join(dir, "disk"), Size: diskSize}},
		},
	}, s
}

// customized is a Request for a disk file that holds text.
func customized(t *testing.T, text string) (Request, *sink) {
	t.Helper()
	req, s := deployment(t)
	d := &req.Spec.Disks[0]
	req.Spec.Mode, req.Spec.Image, d.Size = spec.ModeCustomize, "", 0
	disk := make([]byte, diskSize)
	copy(disk, text)
	if err := os.WriteFile(d.Path, disk, 0o600); err != nil {
		t.Fatal(err)
	}
	return req, s
}

// begins returns what the disk of req begins with.
func begins(t *testing.T, req Request, n int) string {
	t.Helper()
	b, err := os.ReadFile(req.Spec.Disks[0].Path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b[:n])
}

// TestDeployment: the image is on the disk before the helper has it, and its ends are
// when the helper has succeeded, with what it changed.
func TestDeployment(t *testing.T) {
	t.Parallel()
	req, owner := deployment(t)
	rep, err := Run(t.Context(), req)
	if err != nil || !rep.Success {
		t.Fatalf("Run() = %v, success %v", err, rep.Success)
	}
	want := make([]byte, diskSize)
	copy(want, bytes.Repeat([]byte{imageByte}, imageSize))
	copy(want, marker)
	if got := begins(t, req, diskSize); got != string(want) {
		t.Error("the disk does not hold the image and the marker of the helper")
	}
	if diff := cmp.Diff([]string{
		"copying the image to the disk", "the image is copied", "the helper starts to customize the machine",
		"the helper has ended", "the machine is customized", "the machine is complete",
	}, owner.texts); diff != "" {
		t.Errorf("the owner learns (-want +got):\n%s", diff)
	}
	var steps []string
	for _, s := range rep.Timings {
		steps = append(steps, s.Step)
	}
	if diff := cmp.Diff([]string{
		"helper CPU: boot", "copy", "helper CPU: inspection", "helper CPU: tasks", "helper CPU: power-off", "customize",
	}, steps); diff != "" {
		t.Errorf("steps (-want +got):\n%s", diff)
	}
	layers := []string{"worker: no-new-privs", "worker: rlimits", "helper: no-new-privs", "helper: rlimits", "helper: seccomp sandbox"}
	if os.Geteuid() == 0 && len(rep.Warnings) == 0 {
		layers = append(layers, "worker: uid", "worker: pid namespace", "helper: uid", "helper: network namespace")
	}
	for _, layer := range layers {
		if !slices.Contains(rep.Helper.Confinement, layer) {
			t.Errorf("layer %s is not among %q", layer, rep.Helper.Confinement)
		}
	}
	if len(rep.Tasks) == 0 || rep.System == nil || strings.Contains(rep.System.Pretty, "\x1b") || !strings.HasPrefix(rep.Image.Digest, "blake3-blocks:") {
		t.Errorf("the report has tasks %v, system %v, digest %q", rep.Tasks, rep.System, rep.Image.Digest)
	}
}

// TestDeploymentFails: the helper gives up in a task. The disk does not boot.
func TestDeploymentFails(t *testing.T) {
	t.Parallel()
	req, owner := deployment(t)
	req.Spec.Name = failsWith + "no room"
	rep, err := Run(t.Context(), req)
	if report.KindOf(err) != report.Task || !strings.Contains(err.Error(), "no room; look at the fake helper") {
		t.Fatalf("Run() = %v of kind %s", err, report.KindOf(err))
	}
	if got := begins(t, req, spec.EndSize); strings.Trim(got, "\x00") != "" {
		t.Error("the disk has a beginning")
	}
	if last := rep.Tasks[len(rep.Tasks)-1]; rep.Success || last.Outcome != report.Failed || len(rep.Tasks) != 2 {
		t.Errorf("success %v, tasks %v", rep.Success, rep.Tasks)
	}
	if last := owner.texts[len(owner.texts)-1]; !strings.Contains(last, "no room") {
		t.Errorf("the owner learns %q", last)
	}
}

// TestDeploymentIsRefused before anything is written: what was opened is as it was.
func TestDeploymentIsRefused(t *testing.T) {
	t.Parallel()
	packed := filepath.Join(t.TempDir(), "image.qcow2.gz")
	require.Tool(t, "qemu-img")
	require.Run(t, "", "sh", "-ec", `qemu-img create -q -f qcow2 "$0.tmp" 8M; gzip <"$0.tmp" >"$0"`, packed)
	for name, tc := range map[string]struct {
		change func(*Request)
		kind   report.Kind
	}{
		"no QEMU":         {func(r *Request) { r.Config.QEMU = "/no/qemu" }, report.Node},
		"no helper image": {func(r *Request) { r.Config.HelperDir = filepath.Dir(r.Spec.Image) }, report.HelperImage},
		"another format":  {func(r *Request) { r.Spec.Format = "qcow3" }, report.Usage},
		"no image":        {func(r *Request) { r.Spec.Image += "x" }, report.Image},
		"a small disk":    {func(r *Request) { r.Spec.Disks[0].Size = 4 << 20 }, report.Disk},
		"no spool": {func(r *Request) {
			r.Spec.Image, r.Spec.Format, r.Config.SpoolDir = packed, spec.Auto, "/no/directory"
		}, report.Node},
		"no memory": {func(r *Request) { r.Config.HelperMemory = 1 << 20 }, report.Node},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			req, _ := deployment(t)
			tc.change(&req)
			if rep, err := Run(t.Context(), req); report.KindOf(err) != tc.kind || rep.Success {
				t.Errorf("Run() = %v of kind %s, want %s", err, report.KindOf(err), tc.kind)
			}
			if _, err := os.Lstat(req.Spec.Disks[0].Path); err == nil {
				t.Error("the disk file is still there")
			}
		})
	}
}

// TestNamesComeFirst: on a node that lacks the helper, too, it is the name of an image or disk that
// is said to be wrong. A disk file that was made or extended before is as it was.
func TestNamesComeFirst(t *testing.T) {
	t.Parallel()
	run := func(r Request) error { _, err := Run(t.Context(), r); return err }
	for name, tc := range map[string]struct {
		start func(*testing.T) (Request, *sink)
		do    func(Request) error
		kind  report.Kind
	}{
		"inspect":   {deployment, func(r Request) error { _, err := Inspect(t.Context(), r.Settings, r.Spec.Image, Watch{}); return err }, report.Image},
		"deploy":    {deployment, run, report.Image},
		"dry run":   {deployment, func(r Request) error { return DryRun(t.Context(), r, io.Discard) }, report.Image},
		"disk":      {func(t *testing.T) (Request, *sink) { r, s := deployment(t); r.Spec.Disks[0].Size = 0; return r, s }, run, report.Disk},
		"customize": {func(t *testing.T) (Request, *sink) { return customized(t, "") }, run, report.Disk},
		"shell":     {func(t *testing.T) (Request, *sink) { return customized(t, "") }, func(r Request) error { return Shell(t.Context(), r.Settings, r.Spec, nil) }, report.Disk},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			req, _ := tc.start(t)
			req.Config.HelperDir = "/no/helper"
			if err := tc.do(req); report.KindOf(err) != report.HelperImage && name != "disk" {
				t.Errorf("with what is named: %v", err)
			}
			if tc.kind == report.Image {
				req.Spec.Image += "x"
			} else {
				_ = os.Remove(req.Spec.Disks[0].Path)
			}
			if err := tc.do(req); report.KindOf(err) != tc.kind || strings.Contains(err.Error(), "/no/helper") {
				t.Errorf("without: %v of kind %s, want %s", err, report.KindOf(err), tc.kind)
			}
		})
	}
	extended, _ := customized(t, "a machine")
	extended.Spec.Disks[0].Size, extended.Config.HelperDir = 2*diskSize, "/no/helper"
	if err := run(extended); report.KindOf(err) != report.HelperImage {
		t.Errorf("Run() = %v", err)
	}
	if st, err := os.Stat(extended.Spec.Disks[0].Path); err != nil || st.Size() != diskSize {
		t.Errorf("the disk file is %v, %v", st, err)
	}
}

// TestCustomization changes a machine in place; one that fails before its first change
// leaves it alone.
func TestCustomization(t *testing.T) {
	t.Parallel()
	req, _ := customized(t, "a machine")
	const warning = "--user-data: without effect"
	req.Warnings = []string{warning}
	done, err := Run(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Contains(done.Warnings, warning) {
		t.Errorf("the report has the warnings %q, not that of the parameters", done.Warnings)
	}
	if got := begins(t, req, len(marker)); got != marker {
		t.Errorf("the disk begins with %q", got)
	}
	const sick = failsWith + "no system"
	req, _ = customized(t, sick)
	rep, err := Run(t.Context(), req)
	if report.KindOf(err) != report.Task || !strings.HasPrefix(err.Error(), "customizing the machine, on ") || rep.Success {
		t.Errorf("Run() = %v of kind %s", err, report.KindOf(err))
	}
	if got := begins(t, req, len(sick)); got != sick {
		t.Errorf("the disk begins with %q", got)
	}
}

// stopper is a sink that stops the run when the owner learns something.
type stopper struct {
	*sink
	at   string
	stop func()
}

func (s stopper) Send(m report.Message) {
	s.sink.Send(m)
	if slices.Contains(m.Messages, s.at) {
		s.stop()
	}
}

// TestStopped stops the customization of a disk file that was extended before: while the helper
// only looks at it, the file is as it was.
func TestStopped(t *testing.T) {
	t.Parallel()
	req, s := customized(t, waits)
	req.Spec.Disks[0].Size = 2 * diskSize
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	req.Sink = stopper{s, "the helper starts to customize the machine", stop}
	if _, err := Run(ctx, req); !errors.Is(err, context.Canceled) {
		t.Errorf("Run() = %v", err)
	}
	if st, err := os.Stat(req.Spec.Disks[0].Path); err != nil || st.Size() != diskSize {
		t.Errorf("the disk file is %v, %v", st, err)
	}
}

// TestWithoutTasksThereIsNoHelper and nothing that it takes.
func TestWithoutTasksThereIsNoHelper(t *testing.T) {
	t.Parallel()
	for _, request := range []func(*testing.T) Request{
		func(t *testing.T) Request { r, _ := deployment(t); return r },
		func(t *testing.T) Request { r, _ := customized(t, ""); return r },
	} {
		req := request(t)
		req.Spec.Properties = map[string]string{spec.PropExcludeAll: "yes"}
		req.Config.QEMU, req.Config.HelperDir = "/no/qemu", "/no/helper"
		var out bytes.Buffer
		if err := DryRun(t.Context(), req, &out); err != nil || !strings.Contains(out.String(), "helper    not needed") {
			t.Errorf("DryRun() = %v, %s", err, &out)
		}
		if rep, err := Run(t.Context(), req); err != nil || rep.Helper != nil && rep.Helper.Accelerator != "" {
			t.Errorf("Run() = %v, helper %v", err, rep.Helper)
		}
	}
}

func TestDryRun(t *testing.T) {
	t.Parallel()
	req, _ := deployment(t)
	var out bytes.Buffer
	if err := DryRun(t.Context(), req, &out); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"image     " + req.Spec.Image + ", 5242880 bytes, diskdump\n", ", 8388608 bytes, created\n", "helper    kernel 6.1, 64 MiB, ", "task      MountImage\n"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("DryRun printed no %q:\n%s", want, &out)
		}
	}
	if _, err := os.Lstat(req.Spec.Disks[0].Path); err == nil {
		t.Error("the disk was created")
	}
}

func TestInspect(t *testing.T) {
	t.Parallel()
	req, _ := deployment(t)
	in, err := Inspect(t.Context(), req.Settings, req.Spec.Image, Watch{Sink: report.Sinks{}})
	if err != nil || in.OSFamily != "linux" || strings.Contains(in.Pretty, "\x1b") {
		t.Errorf("Inspect() = %+v, %v", in, err)
	}
	sick, _ := customized(t, failsWith+"two tables")
	path := sick.Spec.Disks[0].Path
	in, err = Inspect(t.Context(), req.Settings, path, Watch{Sink: report.Sinks{}})
	if want := "inspecting, on " + path + ": two tables; look at the fake helper"; in != nil || report.KindOf(err) != report.Image || err.Error() != want {
		t.Errorf("Inspect() = %+v, %v, want %s", in, err, want)
	}
	if _, err := Inspect(t.Context(), req.Settings, "http://user:secret@example.org/image", Watch{Sink: report.Sinks{}}); report.KindOf(err) != report.Usage || strings.Contains(err.Error(), "secret") {
		t.Errorf("Inspect() of a URL = %v", err)
	}
}

func TestShell(t *testing.T) {
	t.Parallel()
	set := testSettings(t)
	keys, typed := io.Pipe()
	shown, screen := io.Pipe()
	go func() { _, _ = io.WriteString(typed, "hello\n") }()
	done := make(chan error, 1)
	go func() {
		done <- Shell(t.Context(), set, &spec.Spec{Mode: spec.ModeShell}, struct {
			io.Reader
			io.Writer
		}{keys, screen})
	}()
	line := make([]byte, 6)
	if _, err := io.ReadFull(shown, line); err != nil || string(line) != "HELLO\n" {
		t.Errorf("the shell answers %q, %v", line, err)
	}
	if err := <-done; err != nil {
		t.Errorf("Shell() = %v", err)
	}
	_ = typed.Close()
}

func TestReady(t *testing.T) {
	t.Parallel()
	req, _ := customized(t, "")
	disks := append(req.Spec.Disks, spec.Disk{URI: "rbd:pool/disk"})
	if err := Ready(t.Context(), req.Settings, disks); err != nil {
		t.Errorf("Ready() = %v", err)
	}
	disks[0].Path += "x"
	if err := Ready(t.Context(), req.Settings, disks); report.KindOf(err) != report.Disk {
		t.Errorf("Ready() without the disk = %v", err)
	}
	req.Config.QEMU = "/no/qemu"
	if err := Ready(t.Context(), req.Settings, nil); report.KindOf(err) != report.Node {
		t.Errorf("Ready() without QEMU = %v", err)
	}
}
