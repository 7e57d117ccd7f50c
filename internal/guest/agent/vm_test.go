package agent

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"snf-image/internal/channel"
	"snf-image/internal/guest/partition"
	"snf-image/internal/report"
	"snf-image/internal/spec"
)

// The tests in a VM need SNF_VM=1, SNF_HELPER (a HELPER_DIR with a helper image)
// and, where they need a real system, SNF_TEST_IMAGE (a raw disk image). They
// boot that helper image with the agent of this tree.

// helper is a running VM seen from the host.
type helper struct {
	t       *testing.T
	conn    net.Conn
	r       *channel.Reader
	dir     string
	console string
	cmd     *exec.Cmd
	hello   channel.HelloBody
	events  []report.Event
}

const testNonce = "0123456789abcdef"

// boot starts the helper with disks, given as serial=path.
func boot(t *testing.T, disks ...string) *helper {
	t.Helper()
	if os.Getenv("SNF_VM") != "1" {
		t.Skip("SNF_VM is not 1")
	}
	h := &helper{t: t, dir: t.TempDir()}
	listener, err := net.Listen("unix", filepath.Join(h.dir, "port"))
	must(t, err)
	t.Cleanup(func() { listener.Close() })
	h.console = filepath.Join(h.dir, "console")
	args := []string{
		"-nodefaults", "-no-user-config", "-machine", "q35", "-accel", "tcg", "-cpu", "max", "-m", "256",
		"-display", "none", "-no-reboot", "-kernel", one(t, "vmlinux-*"), "-initrd", initramfs(t, h.dir),
		"-append", "console=ttyS0 quiet oops=panic panic=-1 cryptomgr.notests snf.nonce=" + testNonce,
		"-serial", "file:" + h.console, "-device", "virtio-serial-pci",
		"-chardev", "socket,id=c,path=" + filepath.Join(h.dir, "port"),
		"-device", "virtserialport,chardev=c,name=" + hostPort,
		"-chardev", "socket,id=s,server=on,wait=off,path=" + filepath.Join(h.dir, "shell"),
		"-device", "virtserialport,chardev=s,name=" + shellPort,
	}
	args = append(args, strings.Fields(os.Getenv("SNF_QEMU_ARGS"))...) // such as -icount shift=1,sleep=off
	for i, d := range disks {
		serial, path, _ := bytes.Cut([]byte(d), []byte("="))
		args = append(args, "-drive", fmt.Sprintf("if=none,id=d%d,file=%s,format=raw,cache=writeback", i, path),
			"-device", fmt.Sprintf("virtio-blk-pci,drive=d%d,serial=%s", i, serial))
	}
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	t.Cleanup(cancel)
	h.cmd = exec.CommandContext(ctx, "qemu-system-x86_64", args...)
	h.cmd.Stderr = os.Stderr
	must(t, h.cmd.Start())
	t.Cleanup(func() { _ = h.cmd.Process.Kill(); _ = h.cmd.Wait(); h.showConsole() })
	h.conn, err = listener.Accept()
	must(t, err)
	must(t, h.conn.SetDeadline(time.Now().Add(2*time.Minute)))
	h.r = channel.NewHostReader(h.conn)
	h.receive(channel.Hello, &h.hello)
	return h
}

func (h *helper) showConsole() {
	if b, err := os.ReadFile(h.console); err == nil && h.t.Failed() {
		h.t.Logf("console:\n%s", b)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// one returns the only file of the helper image that matches.
func one(t *testing.T, pattern string) string {
	t.Helper()
	files, _ := filepath.Glob(filepath.Join(os.Getenv("SNF_HELPER"), pattern))
	if len(files) != 1 {
		t.Fatalf("SNF_HELPER has %q for %s", files, pattern)
	}
	return files[0]
}

// initramfs returns the one of the helper image with our agent as /init behind
// it: of two files of a name the kernel takes the later one.
func initramfs(t *testing.T, dir string) string {
	t.Helper()
	agent, out := filepath.Join(dir, "agent"), filepath.Join(dir, "initramfs")
	build := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", agent, "snf-image/cmd/snf-image-agent")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if b, err := build.CombinedOutput(); err != nil {
		t.Fatalf("building the agent: %v\n%s", err, b)
	}
	image, err := os.ReadFile(one(t, "initramfs-*"))
	must(t, err)
	code, err := os.ReadFile(agent)
	must(t, err)
	image = append(image, newc("init", 0o100755, code)...)
	must(t, os.WriteFile(out, append(image, newc("TRAILER!!!", 0, nil)...), 0o600))
	return out
}

// mark logs the CPU seconds QEMU has used when something arrives.
func (h *helper) mark(what string) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", h.cmd.Process.Pid))
	_, rest, ok := bytes.Cut(b, []byte(") "))
	fields := bytes.Fields(rest)
	if err != nil || !ok || len(fields) < 13 {
		return
	}
	var user, system float64 // in ticks of 10 ms
	_, _ = fmt.Sscan(string(fields[11]), &user)
	_, _ = fmt.Sscan(string(fields[12]), &system)
	h.t.Logf("%6.2f CPU s: %s", (user+system)/100, what)
}

// newc returns a cpio entry.
func newc(name string, mode int, data []byte) []byte {
	pad := func(b []byte) []byte { return append(b, make([]byte, -len(b)&3)...) }
	head := fmt.Sprintf("070701%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%s\x00",
		7, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name)+1, 0, name)
	return append(pad([]byte(head)), pad(data)...)
}

func (h *helper) send(kind channel.Type, body any) {
	h.t.Helper()
	must(h.t, channel.Write(h.conn, kind, body, channel.MaxDown))
}

// receive reads messages up to one of that type, keeping events.
func (h *helper) receive(want channel.Type, body any) {
	h.t.Helper()
	for {
		m, err := h.r.Read()
		if err != nil {
			h.t.Fatalf("waiting for %s: %v", want, err)
		}
		switch m.Type {
		case channel.Event:
			var e report.Event
			must(h.t, json.Unmarshal(m.Body, &e))
			h.events = append(h.events, e)
			h.mark(fmt.Sprint(e.Kind, " ", e.Task))
			continue
		case channel.Result:
			if want != channel.Result {
				h.t.Fatalf("result instead of %s: %s", want, m.Body)
			}
		case want:
		default:
			h.t.Fatalf("message %s, want %s", m.Type, want)
		}
		h.mark(string(want))
		must(h.t, json.Unmarshal(m.Body, body))
		return
	}
}

// finish takes the result and waits for the VM to power off. It returns the CPU
// seconds of QEMU.
func (h *helper) finish() report.Result {
	h.t.Helper()
	var result report.Result
	h.receive(channel.Result, &result)
	if _, err := h.r.Read(); err != io.EOF {
		h.t.Errorf("after the result: %v, want EOF", err)
	}
	if err := h.cmd.Wait(); err != nil {
		h.t.Errorf("QEMU: %v", err)
	}
	state := h.cmd.ProcessState
	h.t.Logf("QEMU used %.2f CPU s", (state.UserTime() + state.SystemTime()).Seconds())
	if result.Nonce != testNonce {
		h.t.Errorf("nonce of the result = %q", result.Nonce)
	}
	return result
}

// plan is a plan for one disk used as it is.
func plan(mode spec.Mode, tasks ...string) *spec.Plan {
	return &spec.Plan{
		Mode: mode, Nonce: testNonce, Tasks: tasks, InstanceName: "web1.example.org", Users: []string{"root"},
		Disks: []spec.PlanDisk{{Serial: "disk0"}}, UnixTime: time.Now().Unix(),
		MachineID: "0123456789abcdef0123456789abcdef", SwapUUID: "0fc63daf-8483-4772-8e79-3d69d8477de5",
		SwapPartitionUUID: "0FC63DAF-8483-4772-8E79-3D69D8477DE4",
	}
}

// image returns a copy of the test image of the given size.
func image(t *testing.T, size int64) string {
	t.Helper()
	if os.Getenv("SNF_VM") != "1" {
		t.Skip("SNF_VM is not 1")
	}
	out := filepath.Join(t.TempDir(), "disk0")
	if b, err := exec.Command("cp", "--sparse=always", os.Getenv("SNF_TEST_IMAGE"), out).CombinedOutput(); err != nil {
		t.Fatalf("copying SNF_TEST_IMAGE: %v %s", err, b)
	}
	must(t, os.Truncate(out, size))
	return out
}

func TestInspectInVM(t *testing.T) {
	disk := image(t, 10<<30)
	h := boot(t, "disk0="+disk)
	before := digest(t, disk)
	h.send(channel.Plan, plan(spec.ModeInspect))
	h.send(channel.DiskReady, channel.DiskReadyBody{})
	var found report.Inspection
	h.receive(channel.Inspected, &found)
	t.Logf("%+v", found)
	if found.OSFamily != "linux" || found.RootPartition == 0 {
		t.Errorf("found %q on partition %d, want linux", found.OSFamily, found.RootPartition)
	}
	if r := h.finish(); r.Error != "" {
		t.Errorf("result: %s", r.Error)
	}
	if digest(t, disk) != before {
		t.Error("the inspection changed the disk")
	}
}

// digest returns the digest of the data of a sparse file and of where it lies.
func digest(t *testing.T, path string) string {
	t.Helper()
	out, err := exec.Command("sh", "-c", `qemu-img map --output=json -f raw "$1"; head -c 2200M "$1" | sha256sum`, "sh", path).Output()
	must(t, err)
	return string(out)
}

// TestCustomizeInVM runs the tasks of this package's colleagues' too as far as
// they are there; what they did to files is checked elsewhere.
func TestCustomizeInVM(t *testing.T) {
	disk := image(t, 10<<30)
	h := boot(t, "disk0="+disk)
	p := plan(spec.ModeCustomize, spec.FixPartitionTable, spec.FilesystemResizeUnmounted, spec.MountImage,
		spec.AddSwap, spec.UmountImage)
	p.Swap = &spec.Swap{Partition: 9, MiB: 64}
	p.Exclude = map[string]string{}
	h.customize(p, nil)
	r := h.finish()
	checkDone(t, p, r)
	if diff := cmp.Diff([]string{"/etc/fstab"}, r.Changed); diff != "" {
		t.Errorf("changed files (-want +got):\n%s", diff)
	}
	checkDisk(t, disk)
}

// TestDeployInVM has the ends of the disk on devices of their own.
func TestDeployInVM(t *testing.T) {
	disk := image(t, 4<<30)
	head, tail := split(t, disk)
	h := boot(t, "disk0="+disk, "disk0head="+head, "disk0tail="+tail)
	p := plan(spec.ModeDeploy, spec.FixPartitionTable, spec.FilesystemResizeUnmounted, spec.MountImage, spec.UmountImage)
	p.Disks[0].Head, p.Disks[0].Tail = "disk0head", "disk0tail"
	h.customize(p, &spec.Credentials{})
	checkDone(t, p, h.finish())
	for _, at := range []int64{0, 4<<30 - spec.EndSize} {
		if !bytes.Equal(piece(t, disk, at), make([]byte, spec.EndSize)) {
			t.Errorf("the helper wrote into the disk's MiB at %d", at)
		}
	}
	put(t, disk, 0, piece(t, head, 0))
	put(t, disk, 4<<30-spec.EndSize, piece(t, tail, 0))
	checkDisk(t, disk)
}

// TestFailureInVM has a task that fails: the others are not reached, everything
// is unmounted and accounted for.
func TestFailureInVM(t *testing.T) {
	disk := image(t, 4<<30)
	h := boot(t, "disk0="+disk)
	p := plan(spec.ModeCustomize, spec.FixPartitionTable, spec.FilesystemResizeUnmounted, spec.MountImage,
		spec.RunCustomTask, spec.UmountImage)
	p.Exclude = map[string]string{spec.FilesystemResizeUnmounted: "EXCLUDE_FILESYSTEMRESIZE_TASKS"}
	h.customize(p, &spec.Credentials{CustomTask: failingProgram})
	r := h.finish()
	var got []string
	for _, task := range r.Tasks {
		got = append(got, task.Name+" "+string(task.Outcome)+" "+task.Reason)
	}
	want := []string{
		"FixPartitionTable done ", "FilesystemResizeUnmounted skipped left out by EXCLUDE_FILESYSTEMRESIZE_TASKS",
		"MountImage done ", "RunCustomTask failed " + r.Error, "UmountImage done ",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("tasks (-want +got):\n%s", diff)
	}
	if !strings.Contains(r.Error, "exit status 3") {
		t.Errorf("error %q, want the exit status", r.Error)
	}
}

// failingProgram is a CUSTOM_TASK that fails, as nobody can know beforehand.
var failingProgram = []byte("#!/bin/sh\nexit 3\n")

// TestRefusedBeforehandInVM asks for swap space on a disk that is missing: nothing is
// done to an installed machine then.
func TestRefusedBeforehandInVM(t *testing.T) {
	disk := image(t, 4<<30)
	h := boot(t, "disk0="+disk)
	p := plan(spec.ModeCustomize, spec.FixPartitionTable, spec.MountImage, spec.AddSwap, spec.UmountImage)
	p.Swap = &spec.Swap{Disk: 7}
	h.customize(p, nil)
	r := h.finish()
	if len(r.Tasks) > 0 || !strings.HasSuffix(r.Error, "there is no disk 7") || r.Remedy != "correct the property SWAP" {
		t.Errorf("tasks %v, error %q, remedy %q, want no task", r.Tasks, r.Error, r.Remedy)
	}
}

// customize holds the conversation up to the tasks.
func (h *helper) customize(p *spec.Plan, creds *spec.Credentials) {
	h.t.Helper()
	p.WantsCredentials = creds != nil
	h.send(channel.Plan, p)
	h.send(channel.DiskReady, channel.DiskReadyBody{})
	var found report.Inspection
	h.receive(channel.Inspected, &found)
	if creds != nil {
		h.send(channel.Credentials, creds)
	}
}

// checkDone expects success and an account of every task.
func checkDone(t *testing.T, p *spec.Plan, r report.Result) {
	t.Helper()
	if r.Error != "" {
		t.Errorf("result: %s; %s", r.Error, r.Remedy)
	}
	var names []string
	for _, task := range r.Tasks {
		names = append(names, task.Name)
		t.Logf("%-26s %-8s %.2f s %s %q", task.Name, task.Outcome, task.Seconds, task.Reason, task.Warnings)
		if task.Outcome != report.Done {
			t.Errorf("%s: %s", task.Name, task.Outcome)
		}
	}
	if diff := cmp.Diff(p.Tasks, names); diff != "" {
		t.Errorf("tasks (-planned +accounted):\n%s", diff)
	}
}

// checkDisk asks the reference tools about the disk.
func checkDisk(t *testing.T, disk string) {
	t.Helper()
	f, err := os.Open(disk)
	must(t, err)
	defer f.Close()
	st, err := f.Stat()
	must(t, err)
	table, err := partition.Read(f, st.Size())
	must(t, err)
	scripts := []string{`sfdisk --verify "$1"`}
	if table.Kind == partition.GPT {
		scripts = append(scripts, `sgdisk -v "$1" | grep "No problems found"`)
	}
	for _, p := range table.Partitions {
		probe := fmt.Sprintf(`blkid -p -O %d -S %d -s TYPE -o value "$1"`, p.Start, p.Size)
		scripts = append(scripts, fmt.Sprintf(`[ "$(%s)" != ext4 ] || e2fsck -fn "$1?offset=%d"`, probe, p.Start))
	}
	for _, script := range scripts {
		out, err := exec.Command("sh", "-c", script, "sh", disk).CombinedOutput()
		t.Logf("%s", out)
		if err != nil {
			t.Errorf("%s: %v", script, err)
		}
	}
}

// split moves the ends of the disk to files of their own.
func split(t *testing.T, disk string) (head, tail string) {
	t.Helper()
	st, err := os.Stat(disk)
	must(t, err)
	head, tail = filepath.Join(t.TempDir(), "head"), filepath.Join(t.TempDir(), "tail")
	last := st.Size() - spec.EndSize
	must(t, os.WriteFile(head, piece(t, disk, 0), 0o600))
	must(t, os.WriteFile(tail, piece(t, disk, last), 0o600))
	put(t, disk, 0, make([]byte, spec.EndSize))
	put(t, disk, last, make([]byte, spec.EndSize))
	return head, tail
}

// piece reads EndSize bytes.
func piece(t *testing.T, path string, at int64) []byte {
	t.Helper()
	f, err := os.Open(path)
	must(t, err)
	defer f.Close()
	b := make([]byte, spec.EndSize)
	_, err = f.ReadAt(b, at)
	must(t, err)
	return b
}

func put(t *testing.T, path string, at int64, b []byte) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	must(t, err)
	defer f.Close()
	_, err = f.WriteAt(b, at)
	must(t, err)
}

// TestRefusedInVM has disks that are refused before a task runs, with advice.
func TestRefusedInVM(t *testing.T) {
	if os.Getenv("SNF_VM") != "1" {
		t.Skip("SNF_VM is not 1")
	}
	for _, tt := range []struct {
		name, script string
		damage       int64
		text, remedy string
	}{
		{"no system", "label: dos\n2048,,83\n", 0, "no operating system is found on the disk", "fetch or make the image again"},
		{"damaged GPT", "label: gpt\n2048,,L\n", 512 + 60, "checksum of the GPT header does not match", "sgdisk -e"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			disk := filepath.Join(t.TempDir(), "disk0")
			must(t, os.WriteFile(disk, nil, 0o600))
			must(t, os.Truncate(disk, 64<<20))
			make := exec.Command("sfdisk", "-q", disk)
			make.Stdin = strings.NewReader(tt.script)
			must(t, make.Run())
			if tt.damage > 0 {
				put(t, disk, tt.damage, []byte{0xff})
			}
			h := boot(t, "disk0="+disk)
			h.send(channel.Plan, plan(spec.ModeDeploy, spec.FixPartitionTable, spec.UmountImage))
			h.send(channel.DiskReady, channel.DiskReadyBody{})
			if r := h.finish(); !strings.Contains(r.Error, tt.text) || !strings.Contains(r.Remedy, tt.remedy) {
				t.Errorf("error %q, remedy %q", r.Error, r.Remedy)
			}
		})
	}
}
