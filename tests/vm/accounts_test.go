package vm

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"snf-image/internal/report"
	"snf-image/tests/machine"
	"snf-image/tests/oracle"
	"snf-image/tests/require"
	"snf-image/tests/support"
)

// vendors are files that make a Debian image more like its vendor's: cloud-init, which here
// only shows that it ran, started by units that look for no cloud-init.disabled, its default
// user, and an SSH server that takes no password.
var vendors = map[string]string{
	"/etc/cloud/cloud.cfg": `users:
  - default
system_info:
  default_user:
    name: debian
    lock_passwd: True
    gecos: Debian
    groups: [adm, audio, sudo, netdev]
    sudo: ["ALL=(ALL) NOPASSWD:ALL"]
    shell: /bin/bash
`,
	"/usr/bin/cloud-init": "#!/bin/sh\n",
	"/usr/bin/sudo":       "#!/bin/sh\n",
	"/etc/sudoers":        "root ALL=(ALL:ALL) ALL\n",
	"/etc/systemd/system/multi-user.target.wants/cloud-init.service": "-> /usr/lib/systemd/system/cloud-init.service",
	"/usr/lib/systemd/system/cloud-init.service":                     "[Service]\nType=oneshot\nExecStart=/bin/touch /cloud-init-ran\n[Install]\nWantedBy=multi-user.target\n",
	"/etc/ssh/sshd_config.d/60-cloudimg-settings.conf":               "PasswordAuthentication no\nKbdInteractiveAuthentication no\n",
	"/var/lib/systemd/random-seed":                                   "the image's",
	"/var/lib/dhcp/dhclient.eth1.leases":                             "# of the image's\n",
}

// furnish writes files into the file system of a partition.
func furnish(t *testing.T, disk string, n int, files map[string]string) {
	t.Helper()
	_, parts := oracle.ReadTable(t, disk)
	dev := strings.TrimSpace(require.Run(t, "", "losetup", "--show", "--find", "--offset", fmt.Sprint(parts[n].Start*512), "--sizelimit", fmt.Sprint(parts[n].Size*512), disk))
	defer func() { require.Run(t, "", "losetup", "--detach", dev) }()
	dir := t.TempDir()
	require.Run(t, "", "mount", "-t", "ext4", dev, dir)
	defer func() { require.Run(t, "", "umount", dir) }()
	for p, text := range files {
		file := filepath.Join(dir, p)
		err := os.MkdirAll(filepath.Dir(file), 0o755)
		if target, ok := strings.CutPrefix(text, "-> "); ok && err == nil {
			err = os.Symlink(target, file)
		} else if err == nil {
			err = os.WriteFile(file, []byte(text), 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// checkAccounts looks at the new user from inside, and logs in with passwords by SSH. What
// visudo says is of the disk.
func checkAccounts(t *testing.T, j *job, m *machine.Machine, rep report.Deployment) {
	t.Helper()
	for command, want := range map[string]string{
		"id -u debian; id -gn debian; id -nG debian":                                "1000\ndebian\ndebian adm sudo audio netdev",
		"getent passwd debian":                                                      "debian:x:1000:1000:Debian:/home/debian:/bin/bash",
		"stat -c '%a %U %G' /home/debian /home/debian/.ssh /home/debian/.bashrc":    "755 debian debian\n700 debian debian\n644 debian debian",
		"pwck -r -q; grpck -r; echo $?":                                             "0",
		"ls -d /cloud-init-ran; systemctl is-enabled cloud-init.service":            "ls: cannot access '/cloud-init-ran': No such file or directory\nmasked",
		"cat /var/lib/systemd/random-seed /var/lib/dhcp/* | grep -ac \"the image\"": "0",
	} {
		if got, _ := m.Shell(t, command); !strings.HasPrefix(strings.TrimSpace(got), want) {
			t.Errorf("%s:\n%s\nwant\n%s", command, got, want)
		}
	}
	known := j.file("known_hosts", strings.Join(rep.KnownHosts, "\n")+"\n")
	for _, user := range []string{"debian", "root"} {
		if out, err := m.RemoteByPassword(t, user, password, known, machineName, "id -un"); err != nil || out != user+"\n" {
			t.Errorf("%s over SSH by password: %v, %q", user, err, out)
		}
	}
	checkSudo(t, j)
}

// checkSudo has Debian's visudo, which is not installed here, judge the rules on the disk.
func checkSudo(t *testing.T, j *job) {
	t.Helper()
	get := exec.Command("sh", "-c", "apt-get -qq -o APT::Sandbox::User=root download sudo && dpkg-deb -x sudo_*.deb sudo")
	get.Dir = j.dir
	if out, err := get.CombinedOutput(); err != nil {
		t.Fatalf("sudo: %v: %s", err, out)
	}
	for _, name := range []string{"etc/sudoers", "etc/sudoers.d/90-snf-image-users"} {
		file := j.file(filepath.Base(name), oracle.ReadFile(t, j.disk, 3, name))
		cmd := exec.Command(filepath.Join(j.dir, "sudo/usr/sbin/visudo"), "-c", "-s", "-f", file)
		cmd.Env = append(os.Environ(), "LD_LIBRARY_PATH="+filepath.Join(j.dir, "sudo/usr/libexec/sudo"))
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("visudo of %s: %v: %s", name, err, out)
		}
	}
}

// showBooted enters what the booted machine has shown.
func showBooted(shown *support.Evidence) {
	for _, task := range []string{"hostname", "identity", "password", "keys", "policy", "hostkeys", "create-users", "cloud-init"} {
		shown.Show("debian-12", task, support.Booted)
	}
}
