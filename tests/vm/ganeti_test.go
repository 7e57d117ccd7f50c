package vm

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"snf-image/internal/report"
	"snf-image/tests/harness"
	"snf-image/tests/images"
	"snf-image/tests/oracle"
)

// gnt returns what Ganeti 3.0 sets for an instance with one disk, and more.
func gnt(disk string, more map[string]string) map[string]string {
	env := map[string]string{
		"OS_API_VERSION": "20", "OS_NAME": "snf-image", "OS_VARIANT": "default", "DEBUG_LEVEL": "0",
		"PATH":          "/sbin:/bin:/usr/sbin:/usr/bin",
		"INSTANCE_NAME": "inst1.gnt.test", "INSTANCE_OS": "snf-image+default", "HYPERVISOR": "fake",
		"INSTANCE_UUID": "8b9ff3c5-5b0e-4c2a-9f4f-cdb2e1f8c0a1", "INSTANCE_BE_memory": "128", "INSTANCE_HV_disk_type": "lvm",
		"DISK_COUNT": "1", "DISK_0_PATH": disk, "DISK_0_SIZE": "256", "DISK_0_ACCESS": "rw", "DISK_0_BACKEND_TYPE": "file:loop",
		"NIC_COUNT": "1", "NIC_0_MAC": "aa:00:00:5b:2f:1c", "NIC_0_IP": "198.51.100.101", "NIC_0_MODE": "bridged",
		"NIC_0_LINK": "br0", "NIC_0_BRIDGE": "br0", "NIC_0_NETWORK_NAME": "net1", "NIC_0_NETWORK_SUBNET": "198.51.100.0/24",
		"NIC_0_NETWORK_GATEWAY": "198.51.100.1",
	}
	for name, value := range more {
		env[name] = value
	}
	return env
}

// osp are the parameters of an instance; the password must never be seen.
func osp(more map[string]string) map[string]string {
	env := map[string]string{
		"OSP_IMG_ID": "image", "OSP_IMG_PASSWD": canary, "OSP_IMG_PROPERTIES": `{"USERS": "root"}`,
		"OSP_IMG_PERSONALITY": `[{"path": "/etc/motd", "contents": "aGVsbG8K", "mode": 420}]`,
	}
	for name, value := range more {
		env[name] = value
	}
	return env
}

const canary = "canary-5e1f0c"

// newInstance makes an image in IMAGE_DIR, under the name of the first releases,
// and an empty disk file, as Ganeti has it.
func newInstance(t *testing.T, settings ...string) (*job, *harness.Definition) {
	t.Helper()
	j := newJob(t, images.Primary("ext4", images.Debian()))
	d := site.Definition(t, filepath.Join(j.dir, "root"), append(settings, `IMG_FORMAT="extdump"`)...)
	harness.File(t, filepath.Join(j.dir, "root/etc/ganeti/snf-image/variants"), "default.conf", "IMG_FORMAT=\"diskdump\"\n")
	if err := os.Rename(j.image, filepath.Join(d.ImageDir, "image-x86_64.diskdump")); err != nil {
		t.Fatal(err)
	}
	j.image = filepath.Join(d.ImageDir, "image-x86_64.diskdump")
	truncateNew(t, j.disk, 256*images.MiB)
	return j, d
}

// TestGanetiCreateRename fills a disk file and then renames the guest, with the
// environments that Ganeti sets.
func TestGanetiCreateRename(t *testing.T) {
	j, d := newInstance(t)
	// What the owner left on a disk keeps nobody from reinstalling it: Ganeti's files are raw.
	if err := os.WriteFile(j.disk, []byte("QFI\xfb\x00\x00\x00\x03"), 0o600); err != nil {
		t.Fatal(err)
	}
	truncate(t, j.disk, 256*images.MiB)
	out := d.Call(t, "create", gnt(j.disk, osp(map[string]string{"INSTANCE_HV_boot_type": "uefi"})))
	out.Fails(t, 3, "no EFI system partition with a loader")
	j.undone()
	out = d.Call(t, "create", gnt(j.disk, osp(map[string]string{"INSTANCE_HV_boot_type": "bios"}))).OK(t)
	j.done()
	checkLog(t, out)
	checkEnd(t, j, out)
	if got := archived(t, d, "inst1.gnt.test.json"); !got.Success || got.Mode != "deploy" || len(got.HostKeys) == 0 || len(got.Tasks) == 0 {
		t.Errorf("the report in REPORT_DIR is %+v", got)
	}
	before := oracle.ReadTree(t, j.disk, 1)
	for file, want := range map[string]string{
		"/etc/hostname": "inst1.gnt.test\n", "/etc/motd": "hello\n",
	} {
		if got := oracle.ReadFile(t, j.disk, 1, file); got != want {
			t.Errorf("%s = %q, want %q", file, got, want)
		}
	}
	if got := oracle.ReadFile(t, j.disk, 1, "/etc/network/interfaces"); !strings.Contains(got, "198.51.100.101/24") {
		t.Errorf("/etc/network/interfaces has no address:\n%s", got)
	}
	if got := oracle.ReadFile(t, j.disk, 1, "/etc/shadow"); !strings.HasPrefix(got, "root:$6$") {
		t.Errorf("/etc/shadow has no password for root:\n%s", got)
	}
	// No OS parameter at all, and not the NIC of before.
	out = d.Call(t, "rename", gnt(j.disk, map[string]string{
		"OLD_INSTANCE_NAME": "inst1.gnt.test", "INSTANCE_NAME": "inst2.gnt.test", "NIC_0_IP": "198.51.100.102",
	})).OK(t)
	j.done()
	checkLog(t, out)
	if diff := cmp.Diff([]string{"! /etc/hostname", "! /etc/hosts"}, oracle.Changed(before, oracle.ReadTree(t, j.disk, 1))); diff != "" {
		t.Errorf("rename changes (-want +got):\n%s", diff)
	}
	if got := oracle.ReadFile(t, j.disk, 1, "/etc/hostname"); got != "inst2.gnt.test\n" {
		t.Errorf("/etc/hostname = %q after rename", got)
	}
	if got := archived(t, d, "inst2.gnt.test.json"); !got.Success || got.Mode != "customize" || len(got.Changed) == 0 {
		t.Errorf("the report of rename in REPORT_DIR is %+v", got)
	}
	checkKeepsIdentity(t, j, d)
}

// checkKeepsIdentity has the disk customized as it is, with another password and a NIC
// that has moved. The machine stays the same one.
func checkKeepsIdentity(t *testing.T, j *job, d *harness.Definition) {
	t.Helper()
	before := oracle.ReadTree(t, j.disk, 1)
	env := osp(map[string]string{
		"OSP_IMG_ID": "null", "OSP_IMG_PROPERTIES": `{"USERS": "root", "KEEP_IDENTITY": "yes"}`,
		"INSTANCE_NAME": "inst2.gnt.test", "NIC_0_IP": "198.51.100.103",
	})
	delete(env, "OSP_IMG_PERSONALITY")
	d.Call(t, "create", gnt(j.disk, env)).OK(t)
	j.done()
	want := []string{"! /etc/network/interfaces", "+ /etc/network/interfaces.snf-image-old", "! /etc/shadow"}
	if diff := cmp.Diff(want, oracle.Changed(before, oracle.ReadTree(t, j.disk, 1))); diff != "" {
		t.Errorf("with KEEP_IDENTITY (-want +got):\n%s", diff)
	}
	if got := oracle.ReadFile(t, j.disk, 1, "/etc/network/interfaces"); !strings.Contains(got, "198.51.100.103/24") {
		t.Errorf("/etc/network/interfaces has not the new address:\n%s", got)
	}
}

// checkEnd looks at the end of the log of a success: what is needed for the first login,
// as ssh-keygen(1) shows it, and each line has its time.
func checkEnd(t *testing.T, j *job, o harness.Outcome) {
	t.Helper()
	public := j.file("host.pub", oracle.ReadFile(t, j.disk, 1, "/etc/ssh/ssh_host_ed25519_key.pub"))
	out, err := exec.Command("ssh-keygen", "-lf", public).Output()
	if err != nil || len(strings.Fields(string(out))) < 2 {
		t.Fatalf("ssh-keygen: %v %s", err, out)
	}
	_, end, _ := strings.Cut(o.Stderr, "the machine is complete\n")
	if want := "[INFO] SSH host key ed25519 " + strings.Fields(string(out))[1] + "\n"; !strings.Contains(end, want) {
		t.Errorf("the log ends without %q:\n%s", want, o.Stderr)
	}
	line := regexp.MustCompile(`^(\[MONITOR\] |\d{4}-\d\d-\d\d \d\d:\d\d:\d\d ((HELPER: )?\[[A-Z]+\] ))`)
	for l := range strings.Lines(o.Stderr) {
		if !line.MatchString(l) {
			t.Errorf("a line of the log without its time: %q", l)
		}
	}
	if !regexp.MustCompile(`(?m) HELPER: \[INFO\] task AssignHostname ended after \d+\.\d s$`).MatchString(o.Stderr) {
		t.Errorf("the log does not say how long a task took:\n%s", o.Stderr)
	}
}

// archived reads a report in REPORT_DIR, which nobody else can.
func archived(t *testing.T, d *harness.Definition, name string) (got report.Deployment) {
	t.Helper()
	path := filepath.Join(d.Reports, name)
	text, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(text, &got)
	}
	if err != nil {
		t.Fatal(err)
	}
	if st, err := os.Stat(path); err != nil || st.Mode() != 0o600 {
		t.Errorf("%s has mode %v, %v, want 0600", path, st.Mode(), err)
	}
	return got
}

// TestGanetiReinstallOnDevice writes to a block device that was in use, with the
// environment of a Xen node.
func TestGanetiReinstallOnDevice(t *testing.T) {
	j, d := newInstance(t)
	stale(t, j.disk, 256)
	dev, detach := images.Loop(t, j.disk, 0, 0)
	out := d.Call(t, "create", gnt(dev, osp(map[string]string{
		"INSTANCE_REINSTALL": "1", "HYPERVISOR": "xen-pvm", "DISK_0_BACKEND_TYPE": "block", "DEBUG_LEVEL": "1", "OSP_IMG_ID": "local://image",
	}))).OK(t)
	detach()
	j.done()
	checkLog(t, out)
	if !strings.Contains(out.Stderr, "[INFO] reinstalling inst1.gnt.test") {
		t.Errorf("the log does not speak of a reinstallation:\n%s", out.Stderr)
	}
	if got := oracle.ReadFile(t, j.disk, 1, "/etc/hostname"); got != "inst1.gnt.test\n" {
		t.Errorf("/etc/hostname = %q", got)
	}
}

// TestGanetiRefuses fails early: the last line names cause and remedy, and the
// disk is as it was.
func TestGanetiRefuses(t *testing.T) {
	j, d := newInstance(t)
	stale(t, j.disk, 8)
	before := oracle.Digest(t, j.disk, 0, -1)
	for _, tc := range []struct {
		script string
		env    map[string]string
		code   int
		want   string
	}{
		{"create", osp(map[string]string{"OSP_IMG_ID": "gone"}), 3, `/gone: file does not exist; check img_id`},
		{"create", osp(map[string]string{"OS_VARIANT": "mistaken"}), 2, `OS_VARIANT: there is no variant "mistaken"`},
		{"create", osp(map[string]string{"DISK_0_PATH": "", "DISK_0_URI": "rbd:pool/x:key=" + canary}), 2, `DISK_n_\*: disk\[0\]: a URI with a password or key in it`},
		{"create", osp(nil), 4, `disk.raw`}, // smaller than the image
		{"rename", map[string]string{"OLD_INSTANCE_NAME": "old"}, 8, `partition table`},
		{"verify", osp(map[string]string{"OSP_IMG_FORMAT": "zip"}), 2, `unknown image format "zip"`},
	} {
		var args []string
		if tc.script == "verify" {
			args = []string{"parameters"}
		}
		out := d.Call(t, tc.script, gnt(j.disk, tc.env), args...).Fails(t, tc.code, tc.want)
		checkLog(t, out)
		if goesOn := strings.Contains(out.Stderr, `go on with "gnt-instance reinstall inst1.gnt.test" and "gnt-instance startup inst1.gnt.test"`); goesOn != (tc.script == "create") {
			t.Errorf("%s says how to go on: %v\n%s", tc.script, goesOn, out)
		}
	}
	if oracle.Digest(t, j.disk, 0, -1) != before {
		t.Error("a refused call changed the disk")
	}
	// The last create failed for its disk, the first for its image.
	for name, code := range map[string]int{"inst1.gnt.test.json": 8, "inst1.gnt.test.json.1": 4, "inst1.gnt.test.json.3": 3} {
		if got := archived(t, d, name); got.Failure == nil || got.Failure.Exit != code {
			t.Errorf("%s in REPORT_DIR tells of %+v, want exit code %d", name, got.Failure, code)
		}
	}
}

// checkLog looks at the log of a script: no password in it, and progress
// messages that are whole.
func checkLog(t *testing.T, o harness.Outcome) {
	t.Helper()
	if strings.Contains(o.Stderr+o.Stdout, canary) {
		t.Errorf("the log shows the password:\n%s", o.Stderr)
	}
	for line := range strings.Lines(o.Stderr) {
		text, ok := strings.CutPrefix(line, "[MONITOR] ")
		var m struct {
			Type      string
			Timestamp float64
		}
		if err := json.Unmarshal([]byte(text), &m); ok && (err != nil || m.Type == "" || m.Timestamp == 0) {
			t.Errorf("progress message %q: %v", text, err)
		}
	}
}
