package vm

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"snf-image/tests/harness"
	"snf-image/tests/machine"
	"snf-image/tests/oracle"
)

// TestNetworkStacks deploys a Debian 13 without ifupdown, made as vendors make it, and
// boots it once: the static address is reached by SSH, name servers are told, and no unit
// has failed.
func TestNetworkStacks(t *testing.T) {
	harness.Gate(t, "qemu-system-x86_64", "mmdebstrap", "ssh", "ssh-keygen", "losetup")
	t.Parallel() // the image takes a minute
	image := debian13(t, "--include", "netplan.io,network-manager,systemd-resolved")
	for name, c := range map[string]struct {
		change string // of the image
		file   string // that is written
	}{
		// Debian's own image: no file in /etc/netplan, and networkd is started.
		"netplan": {"systemctl -q disable NetworkManager; systemctl -q enable systemd-networkd", "etc/netplan/50-snf-image.yaml"},
		"NetworkManager": {
			"systemctl -q disable systemd-networkd; dpkg --purge --force-depends netplan.io",
			"etc/NetworkManager/system-connections/snf-image-nic0.nmconnection",
		},
		"networkd": {
			"systemctl -q disable NetworkManager; systemctl -q enable systemd-networkd; dpkg --purge --force-depends netplan.io\n" +
				"printf '[Match]\\nName=en*\\n[Network]\\nAddress=192.0.2.1/24\\n' > /etc/systemd/network/10-image.network",
			"etc/systemd/network/00-snf-image-nic0.network",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			j := &job{t: t, dir: harness.Dir(t)}
			j.image, j.disk = filepath.Join(j.dir, "image.raw"), filepath.Join(j.dir, "web1.raw")
			if out, err := exec.Command("cp", "--sparse=always", image, j.image).CombinedOutput(); err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			changeImage(t, j.image, "rm -rf /etc/netplan/*; dpkg --purge --force-depends ifupdown isc-dhcp-client; "+c.change)
			checkStack(t, j, c.file)
		})
	}
}

// changeImage runs a script in the root of a Debian image.
func changeImage(t *testing.T, image, script string) {
	t.Helper()
	_, parts := oracle.ReadTable(t, image)
	last := 0
	for n := range parts {
		last = max(last, n)
	}
	mounted := `set -e; dev=$(losetup --show --find --offset "$1" --sizelimit "$2" "$3"); trap 'losetup -d "$dev"' EXIT
mount "$dev" "$4"; trap 'umount "$4"; losetup -d "$dev"' EXIT; chroot "$4" sh -ec "$5"`
	cmd := exec.Command("unshare", "--mount", "bash", "-c", mounted, "change",
		fmt.Sprint(parts[last].Start*512), fmt.Sprint(parts[last].Size*512), image, t.TempDir(), script)
	cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive", "LC_ALL=C")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("changing the image: %v: %s", err, out)
	}
}

// checkStack deploys with a static address and boots.
func checkStack(t *testing.T, j *job, file string) {
	t.Helper()
	identity, reportFile := filepath.Join(j.dir, "id"), filepath.Join(j.dir, "report.json")
	keygen(t, "-q", "-t", "ed25519", "-N", "", "-f", identity)
	site.Run(t, "deploy", "--image", j.image, "--disk", j.disk, "--size", "3G", "--name", machineName,
		"--password-file", j.file("pw", password+"\n"), "--authorized-keys", identity+".pub", "--property", "USERS=root", "--report", reportFile,
		"--nic", "mac="+machineMAC+",ip=10.0.2.15/24,gateway=10.0.2.2,dns=10.0.2.3,search=corp.example.org").OK(t)
	oracle.Sound(t, j.disk)
	known := j.file("known_hosts", strings.Join(readReport(t, reportFile).KnownHosts, "\n")+"\n")
	m := machine.Boot(t, machine.Config{Disk: j.disk, Firmware: machine.SeaBIOS, MAC: machineMAC})
	m.Login(t, password)
	for command, want := range map[string]string{
		"ip -c=never -4 -o addr show scope global":  "inet 10.0.2.15/24 ",
		"ip -c=never route show default":            "default via 10.0.2.2 ",
		"resolvectl dns":                            "10.0.2.3",
		"resolvectl domain":                         "corp.example.org",
		"ls /" + file:                               file,
		"systemctl --failed --plain --no-legend; :": "",
	} {
		out, status := m.Shell(t, command)
		out = strings.TrimSpace(out)
		if status != 0 || !strings.Contains(out, want) || want == "" && out != "" || strings.Count(out, " inet ") > 1 {
			t.Errorf("%s: exit status %d, %q, want %q", command, status, out, want)
		}
	}
	if out, err := m.Remote(t, identity, known, machineName, "id -un"); err != nil || !strings.HasSuffix(out, "root\n") {
		t.Errorf("over SSH: %v, %q", err, out)
	}
	m.Stop()
	j.done()
}
