package vm

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"snf-image/tests/harness"
	"snf-image/tests/images"
	"snf-image/tests/oracle"
	"snf-image/tests/storage"
)

// ended waits until no process reaches for the storage, and ends it.
func ended(t *testing.T, s storage.Server) {
	t.Helper()
	gone := harness.Within(5*time.Second, func() bool {
		files, _ := filepath.Glob("/proc/[0-9]*/cmdline")
		for _, f := range files {
			if text, _ := os.ReadFile(f); bytes.Contains(text, []byte(s.URI())) {
				return false
			}
		}
		return true
	})
	if !gone {
		t.Errorf("a process still serves %s", s.URI())
	}
	s.Stop()
}

// onURI replaces the disk file in args by the URI.
func (j *job) onURI(uri string, args []string) []string {
	var out []string
	for i := 0; i < len(args); i++ {
		switch args[i] {
		case "--size":
			i++
		case j.disk:
			out = append(out, uri)
		default:
			out = append(out, args[i])
		}
	}
	return out
}

// newRemote makes an image, and a disk full of a former tenant's data.
func newRemote(t *testing.T) *job {
	t.Helper()
	j := newJob(t, images.Primary("ext4", images.Debian()))
	stale(t, j.disk, 256)
	return j
}

// TestURIDisk deploys to a disk that has only a URI, customizes it, and looks at the
// file behind it.
func TestURIDisk(t *testing.T) {
	j := newRemote(t)
	second := filepath.Join(j.dir, "second.raw")
	stale(t, second, 8)
	data := oracle.Digest(t, second, 0, -1)
	s, other := storage.File(t, j.disk), storage.File(t, second)
	reportFile := filepath.Join(j.dir, "report.json")
	site.Run(t, append(j.onURI(s.URI(), j.args("--report", reportFile)), "--disk", other.URI())...).OK(t)
	if r := readReport(t, reportFile); r.Disk.Path != s.URI() || r.Disk.Size != 256*images.MiB || r.Disk.Wiped != "zeroed without writing" {
		t.Errorf("report: disk %+v", r.Disk)
	}
	site.Run(t, j.onURI(s.URI(), j.customized("--name", "web2.example.org"))...).OK(t)
	ended(t, s)
	ended(t, other)
	j.done()
	if got := oracle.ReadFile(t, j.disk, 1, "/etc/hostname"); got != "web2.example.org\n" {
		t.Errorf("/etc/hostname = %q", got)
	}
	if used := blocks(t, j.disk); used > 128*images.MiB {
		t.Errorf("the disk takes %d bytes, want the former tenant's freed", used)
	}
	if oracle.Digest(t, second, 0, -1) != data {
		t.Error("the second disk changed")
	}
}

// TestURIGaneti takes a disk without a path through the scripts: create, rename,
// export, import.
func TestURIGaneti(t *testing.T) {
	j, d := newInstance(t)
	s := storage.File(t, j.disk)
	byURI := map[string]string{"DISK_0_PATH": "", "DISK_0_URI": s.URI()}
	d.Call(t, "create", gnt("", osp(byURI))).OK(t)
	byURI["OLD_INSTANCE_NAME"], byURI["INSTANCE_NAME"] = "inst1.gnt.test", "inst2.gnt.test"
	byURI["DISK_0_PATH"] = filepath.Join(j.dir, "no-such-path") // neither file nor block device
	d.Call(t, "rename", gnt("", byURI)).OK(t)

	dump, copied := filepath.Join(j.dir, "dump"), filepath.Join(j.dir, "copied.raw")
	out, err := os.Create(dump)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	cmd := d.Command(t, "export", gnt("", map[string]string{"EXPORT_DISK_URI": s.URI(), "EXPORT_INDEX": "0"}))
	cmd.Stdout = out
	streamed(t, cmd).OK(t)
	ended(t, s)
	j.done()
	if got := oracle.ReadFile(t, j.disk, 1, "/etc/hostname"); got != "inst2.gnt.test\n" {
		t.Errorf("/etc/hostname = %q", got)
	}
	reference(t, "cmp", j.disk, dump)

	stale(t, copied, 256)
	to := storage.File(t, copied)
	cmd = d.Command(t, "import", gnt("", map[string]string{"IMPORT_DISK_URI": to.URI(), "IMPORT_INDEX": "0"}))
	cmd.Stdin = content(t, dump)
	streamed(t, cmd).OK(t)
	ended(t, to)
	reference(t, "cmp", copied, dump)
	if used := blocks(t, copied); used > 128*images.MiB {
		t.Errorf("the disk takes %d bytes, want the former tenant's freed", used)
	}
}

// TestURIRefuses: what cannot be opened says why, and what is opened and does not
// do is left as it is.
func TestURIRefuses(t *testing.T) {
	j := newRemote(t)
	small := filepath.Join(j.dir, "small.raw")
	stale(t, small, 8)
	s, readOnly, little := storage.File(t, j.disk), storage.File(t, j.disk, "--read-only"), storage.File(t, small)
	before := oracle.Digest(t, j.disk, 0, -1)
	for _, c := range []struct {
		uri  string
		code int
		want string
	}{
		{"nbd+unix:///?socket=" + filepath.Join(j.dir, "gone"), 4, `No such file or directory; check that it exists and that this node can reach it`},
		{"ssh://root:canary@host/disk", 2, `on --disk: disk\[0\]: a URI with a password or key in it; let this node's`},
		{readOnly.URI(), 4, `Permission denied|it is read-only|[Rr]ead-only`},
		{little.URI(), 4, `the image needs`},
		{"sheepdog:disk", 10, `install qemu-block-extra`},
	} {
		o := site.Run(t, j.onURI(c.uri, j.args())...).Fails(t, c.code, c.want)
		if strings.Contains(o.Stderr, "canary") {
			t.Errorf("the log shows the password\n%s", o)
		}
	}
	site.Run(t, append(j.onURI(s.URI(), j.args()), "--size", "1G")...).Fails(t, 2, `a device has the size it has`)
	site.Run(t, append(j.onURI(s.URI(), j.args()), "--dry-run")...).OK(t)
	site.StartWrapped(t, without("/usr/bin/qemu-nbd"), j.onURI(s.URI(), j.args())...).Wait().Fails(t, 10, `install qemu-utils`)
	for _, st := range []storage.Server{s, readOnly, little} {
		ended(t, st)
	}
	if oracle.Digest(t, j.disk, 0, -1) != before {
		t.Error("a refused deployment changed the disk")
	}
	harness.NothingLeft(t, j.disk, j.image)
}

// without is a wrapper below which a program is not there.
func without(program string) []string {
	return []string{"/usr/bin/unshare", "--mount", "--", "/bin/sh", "-c", `/bin/mount --bind /dev/null ` + program + ` && exec "$@"`, "sh"}
}

// TestURIEnds ends storage, server and host at bad moments: the disk does not boot,
// and nothing is left behind.
func TestURIEnds(t *testing.T) {
	nbd := func(p *harness.Process) []int { return harness.Children(p.PID(), "qemu-nbd") }
	for _, c := range []struct {
		when   moment
		who    string
		find   func(*harness.Process) []int
		signal syscall.Signal
		code   int
		line   string
	}{
		{midCopy, "server", nbd, syscall.SIGKILL, 4, "(the disk|the image), on nbd.*closed the connection: .*killed"},
		{midCopy, "host", host, syscall.SIGKILL, 137, ""},
		{midTask, "server", nbd, syscall.SIGKILL, 4, "reaching the disk, on nbd.*closed the connection: .*killed"},
		{midTask, "host", host, syscall.SIGTERM, 143, "signal"},
	} {
		t.Run(c.when.name+" "+c.who, func(t *testing.T) {
			image := images.Primary("ext4", images.Debian())
			image.MiB = 1100
			j := newJob(t, image)
			stale(t, j.disk, 16)
			truncate(t, j.disk, 1200*images.MiB)
			s := storage.File(t, j.disk)
			p := site.Start(t, j.onURI(s.URI(), c.when.args(j))...)
			p.Until(2*time.Minute, c.when.name, func() bool { return c.when.come(p, j) })
			victims := c.find(p)
			if len(victims) != 1 {
				t.Fatalf("found %d processes that are the %s\n%s", len(victims), c.who, p.Stderr())
			}
			if c.when.name == midTask.name {
				site.Run(t, j.onURI(s.URI(), j.args())...).Fails(t, 5, "another run of snf-image uses it")
			}
			if err := syscall.Kill(victims[0], c.signal); err != nil {
				t.Fatal(err)
			}
			if o := p.Wait(); c.line != "" {
				o.Fails(t, c.code, c.line)
			} else if o.Code != c.code {
				t.Errorf("exit code %d, want %d", o.Code, c.code)
			}
			ended(t, s)
			j.undone()
		})
	}
}
