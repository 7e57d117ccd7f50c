package ganeti

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"snf-image/tests/harness"
	"snf-image/tests/oracle"
)

// The secrets of the instances; the log must show none of them.
const (
	password = "canary-first-9a41"
	another  = "canary-second-77e0"
	key      = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJd7Zrl6oV4L0nVUcSRhVQZ3FmvxRsuJ6vKKyVRVxmTe canary-key"
)

// root is the partition of the Debian image that holds the system.
const root = 3

// debianOS are the parameters of an instance from the Debian image.
const debianOS = "img_id=debian,img_format=diskdump"

// TestCluster takes instances through their lives as an administrator does.
func TestCluster(t *testing.T) {
	c := up(t)
	dir := install(c)
	out := c.gnt("gnt-os", "diagnose")
	if !strings.Contains(out, "OS: snf-image [global status: valid]") || strings.Count(out, "status: valid (path: /srv/ganeti/os/snf-image)") != c.nodes {
		t.Fatalf("gnt-os diagnose:\n%s", out)
	}
	c.part("refused", func(c cluster) { refused(c, dir) })
	if c.part("life", life) {
		c.part("backup", backup)
	}
	c.part("started", started)
	c.part("at once", atOnce)
	c.part("unseen", unseen)
	checkLogs(t)
}

// refused makes instances that come to nothing: the message says why and what to
// do.
func refused(c cluster, dir string) {
	const instance = "inst9.gnt.test"
	c.refused(add(1, onFile, instance, "img_id=debian,img_format=zip"), `unknown image format "zip"; use one of diskdump`)
	if c.has(instance) {
		c.Error("an instance was made though verify refused its parameters")
	}
	want := "snf-image: error: opening the image, on " + filepath.Join(dir, "var/lib/snf-image/gone") +
		": file does not exist; check img_id"
	c.refused(add(1, onFile, instance, "img_id=gone,img_format=diskdump"), want)
	lines := strings.Split(strings.TrimSpace(c.logOf(1, "add", instance)), "\n")
	if last := lines[len(lines)-1]; !strings.HasPrefix(last, want) {
		c.Errorf("the last line of the log = %q, want %q", last, want)
	}
	c.remove(instance)
}

// life is that of inst1, which becomes inst2: made with parameters of every
// kind, made anew with another password, renamed.
func life(c cluster) {
	c.gnt(add(1, onFile, "inst1.gnt.test", debianOS,
		"--os-parameters-private", "img_passwd="+password, "--os-parameters-secret", "auth_keys="+key)...)
	disk := c.diskOf(1, "inst1.gnt.test")
	checkInstance(c.T, disk, "inst1.gnt.test", password)
	if got := oracle.ReadFile(c, disk, root, "/root/.ssh/authorized_keys"); got != key+"\n" {
		c.Errorf("authorized_keys = %q", got)
	}

	c.gnt("gnt-instance", "reinstall", "-f", "-O", debianOS+`,img_properties={"USERS":"root"}`,
		"--os-parameters-private", "img_passwd="+another, "inst1.gnt.test")
	checkInstance(c.T, disk, "inst1.gnt.test", another)

	before := oracle.ReadTree(c, disk, root)
	c.gnt("gnt-instance", "rename", "inst1.gnt.test", "inst2.gnt.test")
	disk = c.diskOf(1, "inst2.gnt.test")
	checkInstance(c.T, disk, "inst2.gnt.test", another)
	checkRenamed(c, before, disk)
}

// checkRenamed holds the file system of a renamed instance against the one
// before.
func checkRenamed(c cluster, before oracle.Tree, disk string) {
	c.Helper()
	if diff := cmp.Diff([]string{"! /etc/hostname", "! /etc/hosts"}, oracle.Changed(before, oracle.ReadTree(c, disk, root))); diff != "" {
		c.Errorf("rename changes (-want +got):\n%s", diff)
	}
}

// install puts the OS definition, the helper image and the Debian image where
// the node finds them, and returns the directory they are in.
func install(c cluster) string {
	c.Helper()
	dir, err := os.MkdirTemp("/var/tmp", "snf-ganeti-")
	if err != nil {
		c.Fatal(err)
	}
	c.Cleanup(func() { _ = os.RemoveAll(dir) })
	site, err := harness.Install(c.Context(), filepath.Join(dir, "site"), "")
	if err != nil {
		c.Fatal(err)
	}
	d := site.Definition(c, dir)
	image, err := debian()
	if err != nil {
		c.Fatal(err)
	}
	if out, err := exec.Command("cp", "--sparse=always", image, filepath.Join(d.ImageDir, "debian")).CombinedOutput(); err != nil {
		c.Fatalf("copying the image: %v\n%s", err, out)
	}
	c.install(d, dir)
	return dir
}

// checkInstance looks at a finished disk with tools of the node.
func checkInstance(t *testing.T, disk, name, password string) {
	t.Helper()
	oracle.Sound(t, disk)
	if got := oracle.ReadFile(t, disk, root, "/etc/hostname"); got != name+"\n" {
		t.Errorf("/etc/hostname = %q, want %s", got, name)
	}
	if got := oracle.FSBytes(t, disk, root); got < 2250<<20 {
		t.Errorf("the root file system has %d bytes, it has not grown to the disk", got)
	}
	_, entry, _ := strings.Cut("\n"+oracle.ReadFile(t, disk, root, "/etc/shadow"), "\nroot:")
	stored, _, _ := strings.Cut(entry, ":")
	if stored == "" || hash(t, password, stored) != stored {
		t.Errorf("root has %q in /etc/shadow, not the hash of the password", stored)
	}
}

// hash has openssl make the SHA-512 hash of a password with the salt of another.
func hash(t *testing.T, password, like string) string {
	t.Helper()
	parts := strings.Split(like, "$")
	if len(parts) != 4 || parts[1] != "6" {
		return ""
	}
	cmd := exec.Command("openssl", "passwd", "-6", "-salt", parts[2], "-stdin")
	cmd.Stdin = strings.NewReader(password)
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("openssl passwd: %v", err)
	}
	return strings.TrimSpace(string(out))
}

// checkLogs looks for secrets in the logs of our scripts. The search must find
// what is there.
func checkLogs(t *testing.T) {
	t.Helper()
	logs, err := filepath.Glob(path(1, "var/log/ganeti/os/*-snf-image+default-*.log"))
	if err != nil || len(logs) < 4 {
		t.Fatalf("logs of the OS scripts: %v, %v", logs, err)
	}
	var all strings.Builder
	for _, log := range logs {
		text, err := os.ReadFile(log)
		if err != nil {
			t.Fatal(err)
		}
		all.Write(text)
	}
	if !strings.Contains(all.String(), "[INFO] renaming inst1.gnt.test to inst2.gnt.test") {
		t.Errorf("the logs do not speak of the new name:\n%s", all.String())
	}
	if strings.Contains(all.String(), "canary") {
		t.Errorf("a secret is in the logs:\n%s", all.String())
	}
}
