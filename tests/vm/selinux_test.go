package vm

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"snf-image/tests/harness"
	"snf-image/tests/machine"
	"snf-image/tests/oracle"
)

// TestTortureLabels deploys a Debian whose policy is enforced, with every task that makes
// or replaces files and a program that does too, of each release and on each file system. Its
// first boot labels nothing, restorecon(8) of the machine finds nothing to do, and one can log
// in. That labels are those of matchpathcon(8) is a test of package selinux.
func TestTortureLabels(t *testing.T) {
	harness.Gate(t, "qemu-system-x86_64", "ssh", "ssh-keygen", "mmdebstrap", "unshare")
	for _, options := range [][]string{{"2G"}, {"--suite", "trixie", "1G"}, {"--suite", "trixie", "--fs", "xfs", "2G"}, {"--suite", "trixie", "--fs", "btrfs", "2G"}} {
		t.Run(strings.Join(options, " "), func(t *testing.T) { enforced(t, options...) })
	}
}

// enforced deploys and boots one image of enforcing.sh.
func enforced(t *testing.T, options ...string) {
	t.Helper()
	j := &job{t: t, dir: harness.Dir(t), image: built(t, "../images/enforcing.sh", options...)}
	j.disk = filepath.Join(j.dir, "web1.raw")
	reportFile, identity := filepath.Join(j.dir, "report.json"), filepath.Join(j.dir, "id")
	keygen(t, "-q", "-t", "ed25519", "-N", "", "-C", "admin", "-f", identity)
	o := site.Run(t, append([]string{
		"deploy", "--image", j.image, "--disk", j.disk, "--size", "3G", "--name", machineName,
		"--password-file", j.file("pw", password+"\n"), "--authorized-keys", identity + ".pub",
		"--file", j.file("motd", "deployed\n") + ":/etc/motd", "--file", j.file("page", "x\n") + ":/var/www/html/site/index.html:0644",
		"--file", j.file("profile", "x\n") + ":/home/somebody/.ssh/config",
		"--nic", "mac=" + machineMAC, "--property", "USERS=root", "--property", "SWAP=9:64", "--report", reportFile,
	}, custom(`cd "$SNF_IMAGE_TARGET"
sed -i 's/^#*MaxAuthTries.*/MaxAuthTries 5/' etc/ssh/sshd_config
mkdir -p srv/www/x var/spool/cron/crontabs; echo x > srv/www/x/index.html; echo > var/spool/cron/crontabs/root
mv etc/issue root/issue`)...)...).OK(t)
	oracle.Mounted(t, j.disk, 2, func(dir string) {
		if _, err := os.Lstat(filepath.Join(dir, ".autorelabel")); err == nil || strings.Contains(o.Stderr, "uses SELinux") {
			t.Errorf("the first boot is to label files (%v), or there is a warning:\n%s", err, o.Stderr)
		}
	})
	m := machine.Boot(t, machine.Config{Disk: j.disk, Firmware: machine.SeaBIOS, MAC: machineMAC})
	m.Login(t, password)
	for command, want := range map[string]string{
		"getenforce": "Enforcing",
		"restorecon -nvR /etc /root /home /srv /usr /boot /var/www /var/spool":    "",
		"systemctl show -P ActiveEnterTimestamp selinux-autorelabel.service":      "",
		"journalctl --list-boots --no-pager -q | wc -l":                           "1",
		"stat -c %C /etc/shadow /root/.ssh/authorized_keys | cut -d: -f3 | xargs": "shadow_t ssh_home_t",
	} {
		if out, _ := m.Shell(t, command); out != want {
			t.Errorf("%s: %q, want %q", command, out, want)
		}
	}
	checkRemoteLogin(t, j, m, readReport(t, reportFile).KnownHosts, identity)
	m.Stop()
	j.done()
}

// checkRemoteLogin logs in over SSH.
func checkRemoteLogin(t *testing.T, j *job, m *machine.Machine, known []string, identity string) {
	t.Helper()
	hosts := j.file("known_hosts", strings.Join(known, "\n")+"\n")
	if out, err := m.Remote(t, identity, hosts, machineName, "id -un"); err != nil || !strings.HasSuffix(out, "root\n") {
		t.Errorf("over SSH: %v, %q, want root", err, out)
	}
}
