package agent

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"snf-image/internal/channel"
	"snf-image/internal/report"
	"snf-image/internal/spec"
)

// madeImage returns a disk of 256 MiB with one partition whose ext4 holds the
// files of the directory tree.
func madeImage(t *testing.T, tree string, mkfs ...string) string {
	t.Helper()
	disk := filepath.Join(t.TempDir(), "disk0")
	must(t, os.WriteFile(disk, nil, 0o600))
	must(t, os.Truncate(disk, 256<<20))
	table := exec.Command("sfdisk", "-q", disk)
	table.Stdin = strings.NewReader("label: dos\nstart=2048, size=520192, type=83\n")
	must(t, table.Run())
	args := append([]string{"-q", "-d", tree, "-E", "offset=1048576,root_owner=0:0"}, mkfs...)
	if out, err := exec.Command("mkfs.ext4", append(args, disk, "254M")...).CombinedOutput(); err != nil {
		t.Fatalf("mkfs.ext4: %v %s", err, out)
	}
	return disk
}

// TestErrorsPanicInVM has a damaged file system whose superblock asks the kernel
// to panic: the task that hits the damage fails, and says where.
func TestErrorsPanicInVM(t *testing.T) {
	if os.Getenv("SNF_VM") != "1" {
		t.Skip("SNF_VM is not 1")
	}
	tree := t.TempDir()
	must(t, os.Mkdir(filepath.Join(tree, "etc"), 0o755))
	for _, name := range []string{"fstab", "passwd", "shadow"} {
		must(t, os.WriteFile(filepath.Join(tree, "etc", name), []byte("root:x:0:0::/root:/bin/sh\n"), 0o644))
	}
	disk := madeImage(t, tree, "-e", "panic", "-O", "^extents,^64bit,^has_journal")
	damage := exec.Command("debugfs", "-w", "-R", "sif /etc/shadow block[0] 99999999", disk+"?offset=1048576")
	if out, err := damage.CombinedOutput(); err != nil {
		t.Fatalf("debugfs: %v %s", err, out)
	}
	h := boot(t, "disk0="+disk)
	p := plan(spec.ModeDeploy, spec.MountImage, spec.ChangePassword, spec.UmountImage)
	h.customize(p, &spec.Credentials{Hashes: map[string]spec.Secret{"root": "*"}})
	if r := h.finish(); !strings.Contains(r.Error, "editing /etc/shadow") {
		t.Errorf("result: %+v", r)
	}
}

// TestDamageStaysAsItIsInVM has an installed machine whose /etc cannot be read: the
// refusal says so, and not even a note of the damage is written.
func TestDamageStaysAsItIsInVM(t *testing.T) {
	if os.Getenv("SNF_VM") != "1" {
		t.Skip("SNF_VM is not 1")
	}
	tree := t.TempDir()
	must(t, os.Mkdir(filepath.Join(tree, "etc"), 0o755))
	for _, name := range []string{"fstab", "os-release"} {
		must(t, os.WriteFile(filepath.Join(tree, "etc", name), []byte("ID=debian\n"), 0o644))
	}
	disk := madeImage(t, tree, "-O", "^extents,^64bit,^has_journal")
	damage := exec.Command("debugfs", "-w", "-R", "sif /etc block[0] 99999999", disk+"?offset=1048576")
	if out, err := damage.CombinedOutput(); err != nil {
		t.Fatalf("debugfs: %v %s", err, out)
	}
	before, err := os.ReadFile(disk)
	must(t, err)
	h := boot(t, "disk0="+disk)
	h.send(channel.Plan, plan(spec.ModeCustomize, spec.MountImage, spec.UmountImage))
	h.send(channel.DiskReady, channel.DiskReadyBody{})
	if r := h.finish(); !strings.Contains(r.Error, "(listing users: reading /etc/passwd: ") {
		t.Errorf("error %q, want the damage named", r.Error)
	}
	if after, err := os.ReadFile(disk); err != nil || !bytes.Equal(before, after) {
		t.Errorf("the disk was changed (%v)", err)
	}
}

// TestQuotaInVM has a file system that keeps quotas, which the kernel mounts for
// writing only when it knows their format.
func TestQuotaInVM(t *testing.T) {
	if os.Getenv("SNF_VM") != "1" {
		t.Skip("SNF_VM is not 1")
	}
	tree := t.TempDir()
	must(t, os.Mkdir(filepath.Join(tree, "etc"), 0o755))
	must(t, os.WriteFile(filepath.Join(tree, "etc", "fstab"), nil, 0o644))
	disk := madeImage(t, tree, "-O", "quota,project")
	h := boot(t, "disk0="+disk)
	h.customize(plan(spec.ModeDeploy, spec.MountImage, spec.UmountImage), nil)
	if r := h.finish(); r.Error != "" {
		t.Errorf("result: %s; %s", r.Error, r.Remedy)
	}
}

// TestHugeFilesInVM has files as large as are read at all, of the content that
// takes most memory, in a helper of 256 MiB: the agent lives to tell.
func TestHugeFilesInVM(t *testing.T) {
	if os.Getenv("SNF_VM") != "1" {
		t.Skip("SNF_VM is not 1")
	}
	tree := t.TempDir()
	put := func(name string, b []byte) {
		must(t, os.MkdirAll(filepath.Dir(filepath.Join(tree, name)), 0o755))
		must(t, os.WriteFile(filepath.Join(tree, name), b, 0o755))
	}
	lines := bytes.Repeat([]byte("\n"), 2<<20)
	root := []byte("root:x:0:0:root:/root:/bin/bash\n")
	put("etc/passwd", append(root, lines...))
	put("etc/shadow", append([]byte("root:*:1::::::\n"), lines...))
	put("etc/fstab", lines[:1<<20])
	put("etc/hosts", lines)
	put("etc/hostname", lines)
	put("etc/machine-id", lines)
	put("etc/ssh/sshd_config", bytes.Repeat([]byte("a b\n"), 1<<18))
	put("etc/network/interfaces", bytes.Repeat([]byte("a\n"), 1<<19))
	put("usr/sbin/ifup", nil)
	put("usr/sbin/sshd", nil)
	status := []byte("Package: ifupdown\nStatus: install ok installed\nVersion: 0.8.41\n")
	put("var/lib/dpkg/status", append(status, bytes.Repeat([]byte("a\n"), 4<<20)...))
	put("root/.ssh/authorized_keys", bytes.Repeat([]byte("ab\n"), 1<<20))
	h := boot(t, "disk0="+madeImage(t, tree))
	p := plan(spec.ModeDeploy, spec.MountImage, spec.AssignHostname, spec.ChangeMachineID, spec.ChangePassword,
		spec.ConfigureNetwork, spec.DeleteSSHKeys, spec.UmountImage)
	p.DefaultNIC, p.NICs = "dhcp", []spec.NIC{{MAC: "aa:00:00:00:00:01"}}
	c := &spec.Credentials{AuthorizedKeys: []string{"ssh-ed25519 AAAA"}, Hashes: map[string]spec.Secret{"root": "*"}}
	for _, kind := range []string{"rsa", "ecdsa", "ed25519"} {
		c.HostKeys = append(c.HostKeys, spec.HostKey{Type: kind, Private: "PRIVATE\n", Public: "PUBLIC"})
	}
	h.customize(p, c)
	r := h.finish()
	t.Logf("%+v", r)
	if r.Error != "" || len(r.Tasks) != len(p.Tasks) || r.Tasks[len(r.Tasks)-1].Outcome != report.Done {
		t.Errorf("result: %+v", r)
	}
}
