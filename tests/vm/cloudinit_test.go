package vm

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"snf-image/tests/harness"
	"snf-image/tests/machine"
	"snf-image/tests/oracle"
	"snf-image/tests/support"
)

// cloudSystem is a Debian as its vendor makes it, whose cloud-init configures it. With netplan
// cloud-init writes the network, with any other stack we do.
type cloudSystem struct{ suite, row, stack string }

// TestCloudInit boots a system that its cloud-init configures; make torture boots it twice, and more.
func TestCloudInit(t *testing.T) {
	harness.Gate(t, vendorNeeds...)
	t.Parallel()
	shown := support.Collect(t)
	cloudSystem{"trixie", "debian-13", "netplan"}.boot(t, false)
	shown.Show("debian-13", "cloud-mode", support.Booted)
}

// TestTortureCloud boots every release of Debian with cloud-init, and each way to its network.
func TestTortureCloud(t *testing.T) {
	harness.Gate(t, vendorNeeds...)
	all := []cloudSystem{
		{"bullseye", "debian-11", "ifupdown"},
		{"bookworm", "debian-12", "netplan"},
		{"bookworm", "debian-12", "NetworkManager"},
		{"trixie", "debian-13", "netplan"},
		{"trixie", "debian-13", "networkd"},
		{"forky", "debian-forky", "netplan"},
	}
	suites := []string{"bullseye", "bookworm", "trixie", "forky"}
	shown := support.Collect(t)
	if setting(t, "SNF_ONLY", 0) != 0 {
		shown.Part()
	}
	endure(t, "cloud", len(all)+len(suites), func(t *testing.T, i int, _ *rand.Rand) {
		if i > len(all) {
			t.Log(suites[i-1-len(all)])
			readSeeds(t, suites[i-1-len(all)])
			return
		}
		t.Log(all[i-1])
		all[i-1].boot(t, true)
		shown.Show(all[i-1].row, "cloud-mode", support.Booted)
	})
}

// TestSeeds has the cloud-init of two releases read what we write for it; make torture has four.
func TestSeeds(t *testing.T) {
	harness.Gate(t, vendorNeeds...)
	t.Parallel()
	shown := support.Collect(t)
	for suite, row := range map[string]string{"bookworm": "debian-12", "trixie": "debian-13"} {
		readSeeds(t, suite)
		shown.Show(row, "cloud-mode", support.Parser)
	}
}

// readSeeds has the cloud-init of a release read the golden files of the seeds, and those of
// netplan as network configurations.
func readSeeds(t *testing.T, suite string) {
	t.Helper()
	seeds, err := filepath.Glob("../../internal/guest/cloudinit/testdata/*.txtar")
	networks, errNetworks := filepath.Glob(renderings + "netplan/*.txtar")
	reader, errReader := os.ReadFile("testdata/readseeds.py")
	if err = errors.Join(err, errNetworks, errReader); err != nil || len(seeds) < 8 || len(networks) < 12 {
		t.Fatalf("%d seeds, %d networks: %v", len(seeds), len(networks), err)
	}
	var files []txtar.File
	for _, p := range seeds {
		a, err := txtar.ParseFile(p)
		name := strings.TrimSuffix(filepath.Base(p), ".txtar")
		if err != nil || name == "old" && suite != "bullseye" { // newer ones warn of its list
			continue
		}
		for _, f := range a.Files {
			files = append(files, txtar.File{Name: "seeds/" + name + "/" + f.Name, Data: f.Data})
		}
	}
	for _, p := range networks {
		for _, f := range golden(t, "netplan/"+filepath.Base(p)) {
			_, whole, ok := strings.Cut(string(f.Data), "network:\n  ")
			if ok && f.Name == "networkd" && strings.Contains(whole, "ethernets") {
				files = append(files, txtar.File{Name: "networks/" + filepath.Base(p), Data: []byte(strings.ReplaceAll(whole, "\n  ", "\n"))})
			}
		}
	}
	image := filepath.Join(harness.Dir(t), "image.raw")
	if out, err := exec.Command("cp", "--sparse=always", built(t, "../images/debian.sh", "--suite", suite, "--vendor", "2G"), image).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	var script strings.Builder
	files = append(files, txtar.File{Name: "readseeds.py", Data: reader})
	for _, f := range files {
		fmt.Fprintf(&script, "mkdir -p \"$(dirname '/root/t/%[1]s')\"\nbase64 -d > '/root/t/%[1]s' <<'END'\n%s\nEND\n", f.Name, base64.StdEncoding.EncodeToString(f.Data))
	}
	script.WriteString("for d in /root/t/seeds/*; do cp /etc/cloud/cloud.cfg $d/etc/cloud/; done\npython3 /root/t/readseeds.py /root/t")
	said := changeImage(t, image, script.String())
	for _, want := range []string{
		"keys: debian lock=True hash=None keys=0", "made: carol lock=None hash=None keys=0; dave lock=None hash=None keys=1; debian lock=True hash=None keys=0",
		"locked: carol lock=None hash=None keys=0; debian lock=True hash=None keys=0; root lock=True hash=None keys=0",
		"whole: carol lock=None hash=None keys=0; dave lock=False hash=$6$salt$dave keys=1; debian lock=False hash=$6$salt$debian keys=0; root lock=False hash=$6$salt$root keys=0",
		"yescrypt: carol lock=None hash=None keys=0; debian lock=True hash=None keys=0; root lock=False hash=$y$j9T$a$b keys=0",
	} {
		if !strings.Contains(said, want+"\n") {
			t.Errorf("cloud-init of %s makes of the seeds:\n%s\nwant %q", suite, said, want)
		}
	}
}

// hostilePath breaks a script that does not quote it.
const hostilePath = "/srv/$(reboot)/-a 'b' \"c\"; `reboot`"

func (s cloudSystem) boot(t *testing.T, twice bool) {
	t.Helper()
	j := &job{t: t, dir: harness.Dir(t)}
	j.image, j.disk = filepath.Join(j.dir, "image.raw"), filepath.Join(j.dir, "web1.raw")
	if out, err := exec.Command("cp", "--sparse=always", built(t, "../images/debian.sh", "--suite", s.suite, "--vendor", "2G"), j.image).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	// The image is too small for the locale that older versions set.
	changeImage(t, j.image, vendorStacks[s.stack].change+patiently+"echo 'locale: C.UTF-8' > /etc/cloud/cloud.cfg.d/10_locale.cfg; : > /etc/cloud/cloud-init.disabled")
	identity, known := s.deploy(t, j)
	m := s.start(t, j.disk, twice)
	m.Login(t, password)
	before := s.inside(t, m, machineName)
	s.logIn(t, m, identity, known)
	if twice {
		m.Send(t, "reboot")
		m.Login(t, password)
		if diff := cmp.Diff(before, s.inside(t, m, machineName)); diff != "" {
			t.Errorf("the second boot (-first +second):\n%s", diff)
		}
		m.PowerOff(t)
		s.change(t, j, before)
	}
	m.Stop()
	j.done()
}

// start boots a disk with five NICs.
func (s cloudSystem) start(t *testing.T, disk string, writes bool) *machine.Machine {
	t.Helper()
	n := machine.NewNetwork(t)
	n.Link(t, "first", "10.0.2.2/24")
	n.Link(t, "second", "10.9.0.1/24", "fd09::1/64")
	more, _ := dynamicLinks(t, n)
	return machine.Boot(t, machine.Config{
		Disk: disk, Firmware: machine.SeaBIOS, Network: n, SSH: firstAddress + ":22", Reboots: true, Writes: writes,
		NICs: append([]machine.NIC{{MAC: machineMAC, Link: "first"}, {MAC: secondMAC, Link: "second"}}, more...),
	})
}

// logIn reaches the machine by SSH at an address of each kind.
func (s cloudSystem) logIn(t *testing.T, m *machine.Machine, identity, known string) {
	t.Helper()
	for _, address := range []string{firstAddress + ":22", "[" + secondAddress6 + "]:22"} {
		if out, err := m.RemoteAt(t, address, identity, known, machineName, "id -un"); err != nil || !strings.HasSuffix(out, "root\n") {
			t.Errorf("SSH to %s: %v, %q", address, err, out)
		}
	}
}

// change renames the machine, has cloud-init give root another password and the machine a file,
// and boots it once more: nothing else differs from what it was before.
func (s cloudSystem) change(t *testing.T, j *job, before map[string]string) {
	t.Helper()
	const name, other = "web2.example.org", "another horse"
	site.Run(t, "customize", "--disk", j.disk, "--name", name).OK(t)
	site.Run(t, "customize", "--disk", j.disk, "--property", "CLOUD_INIT=yes", "--property", "USERS=root",
		"--password-file", j.file("pw2", other+"\n"), "--file", j.file("issue", "changed\n")+":/etc/issue.d/changed:0644").OK(t)
	m := s.start(t, j.disk, false)
	m.Login(t, other)
	after := s.inside(t, m, name)
	const instance = "cat /var/lib/cloud/data/instance-id"
	if after[instance] == before[instance] {
		t.Errorf("the instance is still %s", after[instance])
	}
	delete(before, instance)
	delete(after, instance)
	before["hostname"] = name
	if diff := cmp.Diff(before, after); diff != "" {
		t.Errorf("the changed machine (-before +after):\n%s", diff)
	}
	if out, _ := m.Shell(t, "cat /etc/issue.d/changed"); out != "changed" {
		t.Errorf("the new file: %q", out)
	}
	m.Stop()
}

// deploy returns the private key and the file of the report's known hosts.
func (s cloudSystem) deploy(t *testing.T, j *job) (identity, known string) {
	t.Helper()
	identity, reportFile := filepath.Join(j.dir, "id"), filepath.Join(j.dir, "report.json")
	keygen(t, "-q", "-t", "ed25519", "-N", "", "-f", identity)
	files, err := json.Marshal([]map[string]any{
		{"path": hostilePath, "contents": base64.StdEncoding.EncodeToString([]byte("injected\n")), "owner": "debian", "group": "adm", "mode": 0o640},
	})
	if err != nil {
		t.Fatal(err)
	}
	site.Run(t, append([]string{
		"deploy", "--image", j.image, "--disk", j.disk, "--size", "2G", "--name", machineName,
		"--password-file", j.file("pw", password+"\n"), "--authorized-keys", identity + ".pub",
		"--property", "CLOUD_INIT=yes", "--property", "USERS=root debian carol", "--property", "CREATE_USERS=yes", "--property", "SWAP=3:16",
		"--personality", j.file("personality", string(files)), "--report", reportFile,
		"--user-data", j.file("user-data", "#cloud-config\nwrite_files:\n  - path: /root/written\n    content: by user-data\n"),
		"--nic", "mac=" + machineMAC + ",ip=" + firstAddress + "/24,gateway=10.0.2.2,dns=10.0.2.2,search=corp.example.org",
		"--nic", "mac=" + secondMAC + ",ip=" + secondAddress + "/24,gateway=10.9.0.1,ip6=" + secondAddress6 + "/64,gateway6=fd09::1",
	}, dynamicFlags()...)...).OK(t)
	oracle.Sound(t, j.disk)
	return identity, j.file("known_hosts", strings.Join(readReport(t, reportFile).KnownHosts, "\n")+"\n")
}

// inside looks around on the running machine of that name and returns what must be the same
// after the next boot.
func (s cloudSystem) inside(t *testing.T, m *machine.Machine, name string) map[string]string {
	t.Helper()
	const words = `-o addr show scope global | awk '{print $3, $4}' | sort`
	quoted := "'" + strings.ReplaceAll(hostilePath, "'", `'\''`) + "'"
	rendered := "0"
	if s.stack == "netplan" {
		rendered = "1"
	}
	m.Shell(t, "timeout 100 cloud-init status --wait") // until then it prints on this console
	found := map[string]string{}
	for _, c := range []struct{ command, want string }{
		{"cloud-init status | tail -n 1", "status: done"},
		{learned(), ""},
		{"systemctl --failed --plain --no-legend; :", ""},
		{"ip -c=never -4 " + words, "inet " + firstAddress + "/24\ninet 10.10.0.50/24\ninet " + secondAddress + "/24"},
		{"ip -c=never -6 " + words + " | sed 's,::77/.*,::77,'", "inet6 " + secondAddress6 + "/64\ninet6 fd10::5054:ff:fe00:3/64\ninet6 fd11::5054:ff:fe00:4/64\ninet6 fd12::77"},
		{"ip -c=never route show default | grep -c 'via 10.9.0.1 .* metric 1025'", "1"},
		{"ls /etc/netplan/50-cloud-init.yaml /etc/network/interfaces.d/50-cloud-init 2>/dev/null | wc -l", rendered},
		{"hostname", name},
		{"stat -c '%U %G %a' " + quoted, "debian adm 640"},
		{"cat " + quoted, "injected"},
		{"cat /root/written", "by user-data"},
		{"ls -d /var/lib/snf-image/personality /var/lib/cloud/scripts/per-once/*snf* 2>/dev/null | wc -l", "0"},
		{"cat /var/lib/cloud/seed/nocloud-net/user-data /etc/cloud/cloud.cfg.d/98_snf-image-50{ChangePassword,DeleteSSHKeys}.cfg 2>/dev/null | wc -c", "0"},
		{"find /etc/cloud/cloud.cfg.d/98_* /var/lib/cloud/seed -type f ! -perm 600 | wc -l", "0"},
		{"getent shadow root debian carol | cut -d: -f2 | cut -c -3 | sort | uniq -c | tr -s ' '", "3 $6$"},
		{"chage -l root | grep -cE 'never|, 2[3-9]..$'", "3"}, // forky's says when 99999 days are over
		{"grep -c ssh-ed25519 ~debian/.ssh/authorized_keys ~carol/.ssh/authorized_keys ~root/.ssh/authorized_keys | cut -d: -f2 | tr '\\n' ' '", "1 1 1"},
		{"id -nG carol | tr ' ' '\\n' | grep -cx sudo", "1"},
		{"grep -c '^carol .*NOPASSWD' /etc/sudoers.d/90-cloud-init-users", "1"},
		{"swapon --show=NAME,SIZE --noheadings --bytes | tr -s ' '", fmt.Sprintf("/swap.img %d", 16<<20-4096)},
		{"cat /var/lib/cloud/data/instance-id", "*"},
		{"cat /etc/machine-id", "*"},
		{"cat /etc/ssh/ssh_host_*.pub | sort", "*"},
	} {
		out, status := m.Shell(t, c.command)
		out = strings.TrimSpace(out)
		if status != 0 || out != c.want && c.want != "*" {
			t.Errorf("%s: exit status %d, %q, want %q", c.command, status, out, c.want)
		}
		found[c.command] = out
	}
	if t.Failed() {
		out, _ := m.Shell(t, "cloud-init status --long; grep -E 'WARN|ERROR|Traceback|DEPREC' /var/log/cloud-init.log; tail -n 20 /var/log/cloud-init-output.log; ip -c=never addr; ip -c=never route; networkctl 2>&1")
		t.Log(out)
	}
	return found
}
