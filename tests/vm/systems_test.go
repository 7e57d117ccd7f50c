package vm

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"snf-image/tests/harness"
	"snf-image/tests/machine"
	"snf-image/tests/oracle"
	"snf-image/tests/support"
)

// vendorSystem is a Debian as its vendor makes it, with one network stack.
type vendorSystem struct {
	suite string
	row   string // of the support matrix
	stack string
	once  bool // leave out the second boot
}

// vendorStacks are the stacks that each release is booted with: what makes the image one that
// starts no other, and a file that is written.
var vendorStacks = map[string]struct{ column, change, file string }{
	"netplan": {"netplan", "dpkg --purge --force-depends ifupdown network-manager", "/etc/netplan/50-snf-image.yaml"},
	"networkd": {
		"networkd", "dpkg --purge --force-depends ifupdown netplan.io network-manager\n" +
			"printf '[Match]\\nName=en* eth*\\n[Network]\\nAddress=192.0.2.1/24\\n' > /etc/systemd/network/10-image.network",
		"/etc/systemd/network/00-snf-image-nic0.network",
	},
	"NetworkManager": {
		"networkmanager", "systemctl -q disable systemd-networkd; systemctl -q enable NetworkManager; dpkg --purge --force-depends ifupdown netplan.io",
		"/etc/NetworkManager/system-connections/snf-image-nic0.nmconnection",
	},
	"ifupdown": {
		"ifupdown", "systemctl -q disable systemd-networkd; systemctl -q enable networking; dpkg --purge --force-depends netplan.io network-manager",
		"/etc/network/interfaces.snf-image-orig",
	},
}

// TestNetworkStacks boots four systems of two roots, one of them a second time; make torture
// has all.
func TestNetworkStacks(t *testing.T) {
	harness.Gate(t, vendorNeeds...)
	t.Parallel()
	shown := support.Collect(t)
	for _, s := range []vendorSystem{
		{"trixie", "debian-13", "netplan", false},
		{"trixie", "debian-13", "NetworkManager", true},
		{"bookworm", "debian-12", "networkd", true},
		{"bookworm", "debian-12", "ifupdown", true},
	} {
		t.Run(s.row+" "+s.stack, func(t *testing.T) {
			t.Parallel()
			s.boot(t)
			s.show(shown)
			if s.stack == "networkd" { // the same program
				shown.Show("arch", "networkd", support.Parser)
				shown.Show("amazon-2023", "networkd", support.Parser)
			}
		})
	}
}

// TestTortureSystems boots every release with every stack.
func TestTortureSystems(t *testing.T) {
	harness.Gate(t, vendorNeeds...)
	var all []vendorSystem
	for _, suite := range [][2]string{{"bullseye", "debian-11"}, {"bookworm", "debian-12"}, {"trixie", "debian-13"}, {"forky", "debian-forky"}} {
		for _, stack := range []string{"netplan", "networkd", "NetworkManager", "ifupdown"} {
			all = append(all, vendorSystem{suite[0], suite[1], stack, false})
		}
	}
	shown := support.Collect(t)
	if setting(t, "SNF_ONLY", 0) != 0 {
		shown.Part()
	}
	endure(t, "systems", len(all), func(t *testing.T, i int, _ *rand.Rand) {
		s := all[i-1]
		t.Log(s)
		s.boot(t)
		s.show(shown)
	})
}

// show enters what the boot of a system has shown.
func (s vendorSystem) show(shown *support.Evidence) {
	for _, task := range []string{"hostname", "identity", "password", "keys", "hostkeys", "cloud-init", vendorStacks[s.stack].column} {
		shown.Show(s.row, task, support.Booted)
	}
}

var vendorNeeds = []string{"qemu-system-x86_64", "mmdebstrap", "ssh", "ssh-keygen", "losetup", "nsenter", "unshare", "ip", "dnsmasq"}

// patiently has the kernel of a Debian image tell systemd to wait longer than it would for
// devices and services, which are slow in an emulated machine beside others, and leaves out
// what costs an emulated processor much and changes nothing here.
const patiently = "\nsed -i 's/ ro / ro systemd.default_device_timeout_sec=900 systemd.default_timeout_start_sec=900" +
	" mitigations=off init_on_alloc=0 /' /boot/grub/grub.cfg\n"

// changeImage runs a script in the root of a Debian image, and returns what it says.
func changeImage(t *testing.T, image, script string) string {
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
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("changing the image: %v: %s", err, out)
	}
	return string(out)
}

const (
	secondMAC = "52:54:00:00:00:02"
	// The network of the first NIC has a name server, that of the second an IPv6 gateway.
	firstAddress, secondAddress, secondAddress6 = "10.0.2.15", "10.9.0.15", "fd09::15"
)

// boot deploys the system with five NICs, boots it, reaches it at every address by SSH, and
// boots it again.
func (s vendorSystem) boot(t *testing.T) {
	t.Helper()
	stack := vendorStacks[s.stack]
	j := &job{t: t, dir: harness.Dir(t)}
	j.image, j.disk = filepath.Join(j.dir, "image.raw"), filepath.Join(j.dir, "web1.raw")
	if out, err := exec.Command("cp", "--sparse=always", built(t, "../images/debian.sh", "--suite", s.suite, "--vendor", "2G"), j.image).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	changeImage(t, j.image, stack.change+patiently)
	identity, known := s.deploy(t, j)
	m, router := start(t, j.disk)
	m.Login(t, password)
	before := s.inside(t, m, stack.file)
	logIn(t, m, identity, known)
	if !s.once {
		m.Send(t, "reboot")
		m.Login(t, password)
		if diff := cmp.Diff(before, s.inside(t, m, stack.file)); diff != "" {
			t.Errorf("the second boot (-first +second):\n%s", diff)
		}
	}
	checkAsked(t, router)
	m.Stop()
	j.done()
}

// logIn reaches the machine by SSH at each of its static addresses.
func logIn(t *testing.T, m *machine.Machine, identity, known string) {
	t.Helper()
	for _, address := range []string{firstAddress + ":22", secondAddress + ":22", "[" + secondAddress6 + "]:22"} {
		if out, err := m.RemoteAt(t, address, identity, known, machineName, "id -un"); err != nil || !strings.HasSuffix(out, "root\n") {
			t.Errorf("SSH to %s: %v, %q", address, err, out)
		}
	}
}

// start boots a disk with five NICs, whose router it returns.
func start(t *testing.T, disk string) (*machine.Machine, *machine.Server) {
	t.Helper()
	n := machine.NewNetwork(t)
	n.Link(t, "first", "10.0.2.2/24")
	n.Link(t, "second", "10.9.0.1/24", "fd09::1/64")
	n.Resolver(t, "10.0.2.2", "www.corp.example.org", [4]byte{192, 0, 2, 80})
	more, router := dynamicLinks(t, n)
	return machine.Boot(t, machine.Config{
		Disk: disk, Firmware: machine.SeaBIOS, Network: n, SSH: firstAddress + ":22", Reboots: true,
		NICs: append([]machine.NIC{{MAC: machineMAC, Link: "first"}, {MAC: secondMAC, Link: "second"}}, more...),
	}), router
}

// deploy returns the private key and the file of the report's known hosts.
func (s vendorSystem) deploy(t *testing.T, j *job) (identity, known string) {
	t.Helper()
	identity, reportFile := filepath.Join(j.dir, "id"), filepath.Join(j.dir, "report.json")
	keygen(t, "-q", "-t", "ed25519", "-N", "", "-f", identity)
	site.Run(t, append([]string{
		"deploy", "--image", j.image, "--disk", j.disk, "--size", "3G", "--name", machineName,
		"--password-file", j.file("pw", password+"\n"), "--authorized-keys", identity + ".pub", "--property", "USERS=root", "--report", reportFile,
		"--nic", "mac=" + machineMAC + ",ip=" + firstAddress + "/24,gateway=10.0.2.2,dns=10.0.2.2,search=corp.example.org",
		"--nic", "mac=" + secondMAC + ",ip=" + secondAddress + "/24,gateway=10.9.0.1,ip6=" + secondAddress6 + "/64,gateway6=fd09::1",
	}, dynamicFlags()...)...).OK(t)
	oracle.Sound(t, j.disk)
	return identity, j.file("known_hosts", strings.Join(readReport(t, reportFile).KnownHosts, "\n")+"\n")
}

// looks are commands that are run on a machine, and what they print; "*" is anything.
type looks []struct{ command, want string }

// reached is what a machine has on its five NICs, whatever its network stack.
func reached() looks {
	const words = `-o addr show scope global | awk '{print $3, $4}' | sort`
	return looks{
		{learned(), ""},
		{"ip -c=never -4 " + words, "inet " + firstAddress + "/24\ninet 10.10.0.50/24\ninet " + secondAddress + "/24"},
		{"ip -c=never -6 " + words + " | sed 's,::77/.*,::77,'", "inet6 " + secondAddress6 + "/64\ninet6 fd10::5054:ff:fe00:3/64\ninet6 fd11::5054:ff:fe00:4/64\ninet6 fd12::77"},
		{"ip -c=never route get 192.0.2.80 | head -n 1 | cut -d' ' -f3", "10.0.2.2"},
		{"ip -c=never -6 route get 2001:db8::1 | grep -o 'via [^ ]*'", "via fd09::1"},
		{"ip -c=never route show default | grep -c 'via 10.9.0.1 .* metric 1025'", "1"},
		{"getent ahostsv4 www | head -n 1 | cut -d' ' -f1", "192.0.2.80"},
		{"hostname", machineName},
		{"cat /etc/machine-id; :", "*"},
		{"ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub", "*"},
	}
}

// inside looks around on the running machine and returns what must be the same after the next
// boot. A machine that is still starting is waited for.
func (s vendorSystem) inside(t *testing.T, m *machine.Machine, file string) map[string]string {
	t.Helper()
	return slices.Concat(looks{
		{"timeout 90 systemctl is-system-running --wait; :", "running"},
		{"systemctl --failed --plain --no-legend; :", ""},
	}, reached(), looks{
		{"cloud-init status 2>/dev/null | head -n 1", "status: disabled"},
		{"ls " + file, file},
		{"ls -d /etc/ssh/ssh_host_* /etc/netplan/* /etc/systemd/network/* /etc/network/interfaces.d/* 2>/dev/null; :", "*"},
	}).run(t, m, "journalctl -b -p warning --no-pager | tail -n 30; networkctl 2>&1; networkctl --no-pager status 2>&1 | tail")
}

// run returns what the commands print. When they are not content, further ones tell of the
// machine.
func (all looks) run(t *testing.T, m *machine.Machine, further string) map[string]string {
	t.Helper()
	found := map[string]string{}
	for _, c := range all {
		out, status := m.Shell(t, c.command)
		out = strings.TrimSpace(out)
		if status != 0 || out != c.want && c.want != "*" {
			t.Errorf("%s: exit status %d, %q, want %q", c.command, status, out, c.want)
		}
		found[c.command] = out
	}
	if t.Failed() {
		out, _ := m.Shell(t, "ip -c=never addr; ip -c=never route; ip -c=never -6 route; cat /etc/resolv.conf; "+further)
		t.Log(out)
	}
	return found
}
