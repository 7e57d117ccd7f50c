package vm

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"snf-image/tests/harness"
	"snf-image/tests/images"
	"snf-image/tests/machine"
	"snf-image/tests/oracle"
)

// moment is a state of a running deployment a test waits for.
type moment struct {
	name string
	args func(j *job) []string
	come func(p *harness.Process, j *job) bool
}

var (
	midCopy = moment{"mid-copy", func(j *job) []string {
		fill(j.t.(*testing.T), j.image, images.MiB*100, 900)
		return j.args()
	}, func(p *harness.Process, j *job) bool {
		var st syscall.Stat_t
		// The size first: on a busy machine the processes take long to look through, and the copy a second.
		return syscall.Stat(j.disk, &st) == nil && st.Blocks*512 > 32*images.MiB && len(worker(p)) == 1
	}}
	midTask = moment{"mid-task", func(j *job) []string {
		return j.args(custom("sleep 1000")...)
	}, func(p *harness.Process, _ *job) bool {
		return strings.Contains(p.Stderr(), "task RunCustomTask starts")
	}}
)

// worker finds the image worker of a run, qemu its helper.
func worker(p *harness.Process) []int { return harness.Children(p.PID(), "snf-image-worker") }
func qemu(p *harness.Process) []int   { return harness.Children(p.PID(), "qemu-system") }

func host(p *harness.Process) []int { return []int{p.PID()} }

// TestKilled ends host, worker and helper at bad moments: nothing is left
// behind, and a disk that held a bootable system before does not boot.
func TestKilled(t *testing.T) {
	cases := []struct {
		when   moment
		who    string
		find   func(*harness.Process) []int
		signal syscall.Signal
		code   int
		line   string // "": killed without a last word
	}{
		{midCopy, "host", host, syscall.SIGKILL, 137, ""},
		{midCopy, "host", host, syscall.SIGTERM, 143, "signal"},
		{midCopy, "host", host, syscall.SIGINT, 130, "signal"},
		{midCopy, "worker", worker, syscall.SIGKILL, 1, "worker"},
		{midTask, "host", host, syscall.SIGKILL, 137, ""},
		{midTask, "host", host, syscall.SIGTERM, 143, "signal"},
		{midTask, "helper", qemu, syscall.SIGKILL, 7, "helper"},
	}
	for _, c := range cases {
		t.Run(c.when.name+" "+c.who+" "+c.signal.String(), func(t *testing.T) {
			image := images.Primary("ext4", images.Debian())
			image.MiB = 1100
			j := newJob(t, image)
			bootable(t, j.disk)
			p := site.Start(t, append(c.when.args(j), "--size", "1200M")...)
			p.Until(2*time.Minute, c.when.name, func() bool { return c.when.come(p, j) })
			victims := c.find(p)
			if len(victims) != 1 {
				t.Fatalf("found %d processes that are the %s\n%s", len(victims), c.who, p.Stderr())
			}
			if err := syscall.Kill(victims[0], c.signal); err != nil {
				t.Fatal(err)
			}
			o := p.Wait()
			if c.line == "" && o.Code != c.code {
				t.Errorf("exit code %d, want %d", o.Code, c.code)
			} else if c.line != "" {
				o.Fails(t, c.code, c.line)
			}
			j.undone()
			if machine.Bootable(t, machine.SeaBIOS, j.disk) {
				t.Error("SeaBIOS boots the disk of a killed deployment")
			}
		})
	}
}

// bootable makes a disk file whose boot sector a BIOS starts, as a previous
// system's would.
func bootable(t *testing.T, path string) {
	t.Helper()
	truncateNew(t, path, 1200*images.MiB)
	writeBootSector(t, path)
	if !machine.Bootable(t, machine.SeaBIOS, path) {
		t.Fatal("SeaBIOS does not boot the disk before the deployment")
	}
}

// writeBootSector writes a boot sector to a disk file.
func writeBootSector(t *testing.T, path string) {
	t.Helper()
	sector := make([]byte, 512)
	copy(sector, "\xfa\xf4\xeb\xfd") // cli; hlt; jmp
	sector[510], sector[511] = 0x55, 0xaa
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.Write(sector); err != nil {
		t.Fatal(err)
	}
}

// TestCustomizeKilled ends the host while an installed machine is customized: it is
// never blanked.
func TestCustomizeKilled(t *testing.T) {
	j := newJob(t, images.Primary("ext4", images.Debian()))
	site.Run(t, j.args()...).OK(t)
	head := oracle.Digest(t, j.disk, 0, images.MiB)
	p := site.Start(t, j.customized(append(custom("sleep 1000"), "--name", "web2")...)...)
	p.Until(2*time.Minute, midTask.name, func() bool { return midTask.come(p, j) })
	p.Signal(syscall.SIGKILL)
	if o := p.Wait(); o.Code != 137 {
		t.Errorf("exit code %d, want 137", o.Code)
	}
	harness.NothingLeft(t, j.disk)
	if oracle.Digest(t, j.disk, 0, images.MiB) != head {
		t.Error("customize changed the first MiB of an installed machine")
	}
	if !machine.Bootable(t, machine.SeaBIOS, j.disk) {
		t.Error("the machine does not boot any more")
	}
	// The next run finds the journal to replay and works.
	site.Run(t, j.customized("--name", "web3")...).OK(t)
	j.done()
}

// TestCustomizeFailureSaysWhatChanged fails in the last task.
func TestCustomizeFailureSaysWhatChanged(t *testing.T) {
	j := newJob(t, images.Primary("ext4", images.Debian()))
	site.Run(t, j.args()...).OK(t)
	reportFile := filepath.Join(j.dir, "report.json")
	o := site.Run(t, j.customized(append(custom("exit 1"), "--name", "web2", "--report", reportFile)...)...).Fails(t, 8, "RunCustomTask")
	if !strings.Contains(o.Stderr, "/etc/hostname") {
		t.Errorf("the log does not name /etc/hostname as changed\n%s", o)
	}
	r := readReport(t, reportFile)
	if r.Success || !strings.Contains(strings.Join(r.Changed, " "), "/etc/hostname") {
		t.Errorf("report: success %v, changed %q, want /etc/hostname in it", r.Success, r.Changed)
	}
	j.done()
}
