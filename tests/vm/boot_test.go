package vm

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"snf-image/internal/report"
	"snf-image/tests/harness"
	"snf-image/tests/machine"
	"snf-image/tests/oracle"
	"snf-image/tests/support"
)

const (
	machineName = "web1.example.org"
	machineMAC  = "52:54:00:00:00:01"
	password    = "correct horse battery"
	gib         = 1 << 30
)

// TestDeployedMachineBoots deploys a real Debian image, with what its vendor's have of
// accounts, to 10 GiB, boots it as an instance would, and looks from inside: over the serial
// console with the password, over SSH with the key and with passwords, the host key verified
// by the report.
func TestDeployedMachineBoots(t *testing.T) {
	harness.Gate(t, "qemu-system-x86_64", "ssh", "ssh-keygen", "sgdisk")
	t.Parallel()
	shown := support.Collect(t)
	image, err := debian()
	if err != nil {
		t.Fatal(err)
	}
	j := &job{t: t, dir: harness.Dir(t)}
	j.image, j.disk = filepath.Join(j.dir, "debian.raw"), filepath.Join(j.dir, "web1.raw")
	if out, err := exec.Command("cp", "--sparse=always", image, j.image).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	furnish(t, j.image, 3, vendors)
	rep, identity := deployDebian(t, j)
	checkRealPartitions(t, j)

	m := machine.Boot(t, machine.Config{Disk: j.disk, Firmware: machine.SeaBIOS, MAC: machineMAC})
	m.Login(t, password)
	checkInside(t, j, m, rep)
	checkRemote(t, j, m, rep, identity)
	checkAccounts(t, j, m, rep)
	m.Stop()
	showBooted(shown)

	if !machine.Bootable(t, machine.OVMF, j.disk) {
		t.Error("OVMF finds nothing on the finished disk")
	}
	j.done()
}

// deployDebian deploys with everything the issue names and returns the report
// and the private key.
func deployDebian(t *testing.T, j *job) (report.Deployment, string) {
	t.Helper()
	identity := filepath.Join(j.dir, "id")
	keygen(t, "-q", "-t", "ed25519", "-N", "", "-C", "admin", "-f", identity)
	reportFile := filepath.Join(j.dir, "report.json")
	image := filepath.Join(j.dir, "debian.qcow2") // as vendors publish it
	qemuImg(t, "convert", "-f", "raw", "-O", "qcow2", j.image, image)
	o := site.Run(t, "deploy", "--image", image, "--disk", j.disk, "--size", "10G", "--name", machineName,
		"--password-file", j.file("pw", password+"\n"), "--authorized-keys", identity+".pub",
		"--file", j.file("motd", "deployed\n")+":/etc/motd:0640:root:adm",
		"--nic", "mac="+machineMAC, "--property", "USERS=root debian", "--property", "CREATE_USERS=yes",
		"--property", "SSH_PASSWORD_LOGIN=yes", "--report", reportFile).OK(t)
	text, err := os.ReadFile(reportFile)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(o.Stdout+o.Stderr+string(text), password) {
		t.Error("the password is in the log or the report")
	}
	return readReport(t, reportFile), identity
}

// checkRealPartitions holds the disk against the image: boot loader and EFI
// partition are the image's, the root has grown to the end.
func checkRealPartitions(t *testing.T, j *job) {
	t.Helper()
	oracle.Sound(t, j.disk)
	checkGrown(t, j, 3, 0)
	_, parts := oracle.ReadTable(t, j.image)
	for what, at := range map[string][2]int64{
		"boot code":     {0, 440},
		"BIOS boot":     {parts[1].Start * 512, parts[1].Size * 512},
		"EFI partition": {parts[2].Start * 512, parts[2].Size * 512},
	} {
		if oracle.Digest(t, j.image, at[0], at[1]) != oracle.Digest(t, j.disk, at[0], at[1]) {
			t.Errorf("%s differs from the image's", what)
		}
	}
}

// checkInside looks around on the running machine.
func checkInside(t *testing.T, j *job, m *machine.Machine, rep report.Deployment) {
	t.Helper()
	shell := func(command string) string {
		t.Helper()
		out, status := m.Shell(t, command)
		if status != 0 {
			t.Errorf("%s: exit status %d: %s", command, status, out)
		}
		return strings.TrimSpace(out)
	}
	if got := shell("cat /proc/sys/kernel/hostname"); got != machineName {
		t.Errorf("host name = %q, want %q", got, machineName)
	}
	if got := shell("stat -c '%a %U %G %s' /etc/motd"); got != "640 root adm 9" {
		t.Errorf("/etc/motd is %q, want 640 root adm 9", got)
	}
	old := strings.TrimSpace(oracle.ReadFile(t, j.image, 3, "etc/machine-id"))
	if got := shell("cat /etc/machine-id"); len(got) != 32 || got == old {
		t.Errorf("machine-id = %q, want 32 digits other than the image's %q", got, old)
	}
	bytes, err := strconv.ParseInt(shell("echo $(($(stat -f -c '%S * %b' /)))"), 10, 64)
	if err != nil || bytes < 9*gib {
		t.Errorf("root file system has %d bytes (%v), want more than 9 GiB of the 10 GiB disk", bytes, err)
	}
	if got := shell("systemctl is-failed ssh.service || :"); got != "active" {
		t.Errorf("ssh.service is %s, want active", got)
	}
	var want, got []string
	for _, k := range rep.HostKeys {
		want = append(want, k.Fingerprint)
		line := shell(fmt.Sprintf("ssh-keygen -lf /etc/ssh/ssh_host_%s_key.pub", k.Type))
		got = append(got, strings.Fields(line)[1])
		// The private key must be the other half of the public one.
		shell(fmt.Sprintf("test \"$(ssh-keygen -yf /etc/ssh/ssh_host_%[1]s_key | cut -d' ' -f1-2)\" = "+
			"\"$(cut -d' ' -f1-2 /etc/ssh/ssh_host_%[1]s_key.pub)\"", k.Type))
	}
	if d := cmp.Diff(want, got); d != "" || len(want) == 0 {
		t.Errorf("fingerprints (-report +machine):\n%s", d)
	}
}

// checkRemote logs in by SSH; with a wrong host key it must not work.
func checkRemote(t *testing.T, j *job, m *machine.Machine, rep report.Deployment, identity string) {
	t.Helper()
	known := j.file("known_hosts", strings.Join(rep.KnownHosts, "\n")+"\n")
	out, err := m.Remote(t, identity, known, machineName, "cat /etc/motd; id -un")
	if err != nil || !strings.HasSuffix(out, "deployed\nroot\n") {
		t.Errorf("over SSH: %v, %q, want deployed and root", err, out)
	}
	other := filepath.Join(j.dir, "other")
	keygen(t, "-q", "-t", "ed25519", "-N", "", "-f", other)
	public, err := os.ReadFile(other + ".pub")
	if err != nil {
		t.Fatal(err)
	}
	wrong := j.file("wrong_hosts", machineName+" "+string(public))
	if out, err := m.Remote(t, identity, wrong, machineName, "true"); err == nil {
		t.Errorf("SSH accepts a host key that is not the machine's: %s", out)
	}
}

// TestDebian13GrowsFar deploys a Debian 13 with the ext4 features its vendor's
// images have from 1 GiB to 1.5 TiB, and boots it. resize2fs 1.47.0 leaves wrong
// checksums behind in this case, and ends with success.
//
// Nothing is said about a network, and the kernel is no longer told net.ifnames=0: its
// first boot gets an address by DHCP on the Ethernet interface there is, whatever udev
// calls it.
func TestDebian13GrowsFar(t *testing.T) {
	harness.Gate(t, "qemu-system-x86_64", "mmdebstrap")
	t.Parallel()
	j := &job{t: t, dir: harness.Dir(t)}
	image := debian13(t, "--features", "orphan_file,metadata_csum_seed")
	j.image, j.disk = image, filepath.Join(j.dir, "web1.raw")
	renaming := custom(`chroot "$SNF_IMAGE_TARGET" sed -i 's/ net\.ifnames=0//' /boot/grub/grub.cfg`)
	site.Run(t, append([]string{
		"deploy", "--image", image, "--disk", j.disk, "--size", "1536G", "--name", machineName,
		"--password-file", j.file("pw", password+"\n"), "--property", "USERS=root",
	}, renaming...)...).OK(t)
	oracle.Sound(t, j.disk)
	oracle.SoundIn(t, "trixie", j.disk)
	m := machine.Boot(t, machine.Config{Disk: j.disk, Firmware: machine.SeaBIOS, MAC: machineMAC})
	m.Login(t, password)
	if out, _ := m.Shell(t, "ip -4 -o addr show scope global"); !regexp.MustCompile(`\ben\S+ +inet \S*10\.0\.2\.`).MatchString(out) {
		t.Errorf("global addresses: %q, want one of 10.0.2.0/24 on an interface that udev renamed", out)
	}
	out, status := m.Shell(t, ". /etc/os-release && echo $VERSION_ID $(($(stat -f -c '%S * %b' /) >> 30)) && [ -z \"$(systemctl --failed --plain --no-legend)\" ]")
	var version, size int
	if _, err := fmt.Sscan(out, &version, &size); err != nil || status != 0 || version != 13 || size < 1400 {
		t.Errorf("inside: exit status %d, %q, want version 13, more than 1400 GiB, no failed unit", status, out)
	}
	m.Stop()
	j.done()
}

// debian13 returns the path of a Debian 13 image of 1 GiB, made with these options.
func debian13(t *testing.T, options ...string) string {
	t.Helper()
	return built(t, "../images/debian.sh", slices.Concat([]string{"--suite", "trixie"}, options, []string{"1G"})...)
}

// built returns the path of an image that a script of tests/images makes.
func built(t *testing.T, script string, options ...string) string {
	t.Helper()
	cmd := exec.Command(script, options...)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("building the image: %v", err)
	}
	return strings.TrimSpace(string(out))
}

// TestUnfinishedDiskBootsNowhere shows a disk that held a bootable system and
// whose deployment then failed to both firmwares.
func TestUnfinishedDiskBootsNowhere(t *testing.T) {
	harness.Gate(t, "qemu-system-x86_64")
	t.Parallel()
	image, err := debian()
	if err != nil {
		t.Fatal(err)
	}
	j := &job{t: t, dir: harness.Dir(t), image: image}
	j.disk = filepath.Join(j.dir, "disk.raw")
	if out, err := exec.Command("cp", "--sparse=always", image, j.disk).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if err := os.Truncate(j.disk, 3*gib); err != nil {
		t.Fatal(err)
	}
	if !machine.Bootable(t, machine.SeaBIOS, j.disk) {
		t.Fatal("SeaBIOS finds nothing on the disk before the deployment")
	}
	site.Run(t, append([]string{
		"deploy", "--image", j.image, "--disk", j.disk, "--name", "web1",
	}, custom("exit 3")...)...).Fails(t, 8, "RunCustomTask")
	j.undone()
	for _, f := range []machine.Firmware{machine.SeaBIOS, machine.OVMF} {
		if machine.Bootable(t, f, j.disk) {
			t.Errorf("%s boots the disk of a failed deployment", f)
		}
	}
}

func keygen(t *testing.T, args ...string) {
	t.Helper()
	if out, err := exec.Command("ssh-keygen", args...).CombinedOutput(); err != nil {
		t.Fatalf("ssh-keygen: %v: %s", err, out)
	}
}
