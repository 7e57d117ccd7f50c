package vm

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"snf-image/tests/harness"
	"snf-image/tests/images"
	"snf-image/tests/oracle"
)

// TestNamesAndRoutes deploys a never booted SELinux image that knows its own name and
// its own network card on a machine with two networks. ifup and the kernel judge the
// routes.
func TestNamesAndRoutes(t *testing.T) {
	harness.Gate(t, "apt-get", "dpkg-deb", "ip", "unshare")
	const rule = `SUBSYSTEM=="net", ATTR{address}=="52:54:00:00:00:01", NAME="eth0"` + "\n"
	j := newJob(t, images.Primary("ext4", images.Debian().With(
		images.Entry{Path: "etc/hosts", Data: "127.0.0.1\tlocalhost image.example.org image\n10.0.0.9\timage\n"},
		images.Entry{Path: "etc/machine-id", Data: "uninitialized\n"},
		images.Entry{Path: "etc/selinux/config", Data: "SELINUX=enforcing\nSELINUXTYPE=default\n"},
		images.Entry{Path: "etc/udev/rules.d/70-persistent-net.rules", Data: rule},
		images.Entry{Path: "var/lib/dpkg/status", Data: "Package: ifupdown\nStatus: install ok installed\nVersion: 0.8.41\n"},
	)))
	o := site.Run(t, j.args(
		"--nic", "mac=aa:00:00:00:00:01,ip=10.1.0.5,subnet=10.1.0.0/24,gateway=10.1.0.1",
		"--nic", "mac=aa:00:00:00:00:02,ip=10.2.0.5,subnet=10.2.0.0/24,gateway=10.2.0.1",
		"--nic", "mac=aa:00:00:00:00:03,ip=2001:db8:3::5,subnet6=2001:db8:3::/64,gateway6=2001:db8:3::1",
		"--nic", "mac=aa:00:00:00:00:04,ip=2001:db8:4::5,subnet6=2001:db8:4::/64,gateway6=2001:db8:4::1",
	)...)
	o.OK(t)
	j.done()
	got := map[string]string{}
	for _, p := range []string{"etc/hosts", "etc/machine-id", "etc/udev/rules.d/70-persistent-net.rules", ".autorelabel"} {
		got[p] = oracle.ReadFile(t, j.disk, 1, p)
	}
	want := map[string]string{
		"etc/hosts":      "127.0.0.1\tlocalhost\n10.0.0.9\timage\n",
		"etc/machine-id": "uninitialized\n",
		"etc/udev/rules.d/70-persistent-net.rules": "# disabled by snf-image: " + rule,
		".autorelabel": "",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("files (-want +got):\n%s", d)
	}
	if got := oracle.Stat(t, j.disk, 1, "/.autorelabel"); got != "regular 0644 0:0" {
		t.Errorf("/.autorelabel is %q", got)
	}
	for _, warning := range []string{"the image uses SELinux (enforcing)", "/etc/machine-id says that the machine was never booted"} {
		if !strings.Contains(o.Stderr, warning) {
			t.Errorf("no warning %q in\n%s", warning, o.Stderr)
		}
	}
	checkRoutes(t, j, oracle.ReadFile(t, j.disk, 1, "etc/network/interfaces"))
}

// checkRoutes has Debian's ifup say what it would do, does it in a network namespace,
// and asks the kernel for the routes.
func checkRoutes(t *testing.T, j *job, interfaces string) {
	t.Helper()
	script := "set -e\nip link set lo up\n"
	for _, name := range []string{"eth0", "eth1", "eth2", "eth3"} {
		script += "ip link add " + name + " type veth peer name peer-" + name + "\nip link set peer-" + name + " up\n"
		for line := range strings.Lines(ifup(t, j, interfaces, name)) {
			if line = strings.TrimSpace(line); strings.HasPrefix(line, "ip ") {
				script += line + "\n"
			}
		}
	}
	script += "ip route get 192.0.2.1\nip route show default\nip -6 route get 2001:db8:ffff::1\nip -6 route show default\n"
	out, err := exec.Command("unshare", "--net", "sh", "-c", script).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s\n%s", err, out, script)
	}
	for _, pattern := range []string{
		`192\.0\.2\.1 via 10\.1\.0\.1 dev eth0`, `default via 10\.1\.0\.1 dev eth0 onlink`,
		`default via 10\.2\.0\.1 dev eth1 metric 1025`, `2001:db8:ffff::1 .*via 2001:db8:3::1 dev eth2`,
		`default via 2001:db8:3::1 dev eth2 metric 1024`, `default via 2001:db8:4::1 dev eth3 metric 1027`,
	} {
		if !regexp.MustCompile(pattern).Match(out) {
			t.Errorf("no route %s in\n%s", pattern, out)
		}
	}
}

// ifup returns the commands by which Debian's ifupdown, which is not installed here,
// brings up an interface.
func ifup(t *testing.T, j *job, interfaces, name string) string {
	t.Helper()
	program := filepath.Join(j.dir, "ifupdown", "sbin", "ifup")
	if _, err := os.Stat(program); err != nil {
		get := exec.Command("sh", "-c", "apt-get -qq -o APT::Sandbox::User=root download ifupdown && dpkg-deb -x ifupdown_*.deb ifupdown")
		get.Dir = j.dir
		if out, err := get.CombinedOutput(); err != nil {
			t.Fatalf("ifupdown: %v: %s", err, out)
		}
	}
	// What matches a MAC address asks the kernel, which has no such interface.
	var file strings.Builder
	for line := range strings.Lines(interfaces) {
		if !strings.HasPrefix(line, "rename ") && !strings.HasPrefix(line, "source ") {
			file.WriteString(line)
		}
	}
	cmd := exec.Command(program, "--no-act", "--verbose", "--force", "--state-dir", j.dir,
		"--interfaces", j.file("interfaces", file.String()), name)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("ifup %s: %v: %s", name, err, out)
	}
	return string(out)
}

// TestFstabOverRoot refuses an image whose fstab would mount a file system over the
// root, by a mount point that leads there.
func TestFstabOverRoot(t *testing.T) {
	root := images.Debian().With(
		images.Entry{Path: "data", Link: "srv/.."},
		images.Entry{Path: "etc/fstab", Data: "UUID=" + images.RootUUID + " / ext4 defaults 0 1\nUUID=" + images.DataUUID + " /data ext4 nofail 0 2\n"},
	)
	j := newJob(t, images.DataLast(root))
	o := site.Run(t, j.args()...)
	o.Fails(t, 8, "MountImage")
	if !strings.Contains(o.Stderr, "the mount point leads to /") {
		t.Errorf("not the reason in\n%s", o)
	}
	j.undone()
}
