package vm

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"snf-image/tests/images"
	"snf-image/tests/oracle"
)

// everything are the arguments that make every task do something.
func everything(j *job) []string {
	return []string{
		"--password-file", j.file("pw", "correct horse\n"),
		"--authorized-keys", j.file("keys", "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJd7Zrl6oV4L0nVUcSRhVQZ3FmvxRsuJ6vKKyVRVxmTe admin\n"),
		"--file", j.file("motd", "welcome\n") + ":/etc/motd:0640:root:staff",
		"--nic", "mac=52:54:00:00:00:01,ip=192.0.2.10,subnet=192.0.2.0/24,gateway=192.0.2.1",
	}
}

// intended are the changes everything makes to the Debian tree.
var intended = []string{
	"! /etc/hostname",
	"! /etc/hosts",
	"! /etc/machine-id",
	"+ /etc/motd",
	"! /etc/network/interfaces",
	"+ /etc/network/interfaces.snf-image-orig",
	"! /etc/shadow",
	"! /etc/ssh/ssh_host_ecdsa_key",
	"! /etc/ssh/ssh_host_ecdsa_key.pub",
	"! /etc/ssh/ssh_host_ed25519_key",
	"! /etc/ssh/ssh_host_ed25519_key.pub",
	"! /etc/ssh/ssh_host_rsa_key",
	"! /etc/ssh/ssh_host_rsa_key.pub",
	"+ /root/.ssh",
	"+ /root/.ssh/authorized_keys",
}

// TestExactChanges compares the whole tree: exactly the intended files differ,
// owners, modes and attributes included, and the report says the same.
func TestExactChanges(t *testing.T) {
	for _, fs := range []string{"ext2", "ext3", "ext4"} {
		t.Run(fs, func(t *testing.T) {
			j := newJob(t, images.GPT(fs, images.Debian()))
			reportFile := j.dir + "/report.json"
			site.Run(t, j.args(append(everything(j), "--report", reportFile)...)...).OK(t)
			j.done()
			before, after := oracle.ReadTree(t, j.image, 3), oracle.ReadTree(t, j.disk, 3)
			if d := cmp.Diff(intended, oracle.Changed(before, after)); d != "" {
				t.Errorf("changes (-want +got):\n%s", d)
			}
			var files []string
			for _, c := range intended {
				files = append(files, c[2:])
			}
			if d := cmp.Diff(files, readReport(t, reportFile).Changed); d != "" {
				t.Errorf("the report's changes (-want +got):\n%s", d)
			}
			checkOwners(t, before, after)
		})
	}
}

// checkOwners looks at mode and owner of the files that were written.
func checkOwners(t *testing.T, before, after oracle.Tree) {
	t.Helper()
	for path, want := range map[string]string{
		"/etc/motd":                     "100640 0:50 links=1 8 bytes",
		"/root/.ssh":                    "40700 0:0 ",
		"/root/.ssh/authorized_keys":    "100600 0:0 ",
		"/etc/ssh/ssh_host_ed25519_key": "100600 0:0 ",
	} {
		if !strings.HasPrefix(after[path], want) {
			t.Errorf("%s is %q, want %q…", path, after[path], want)
		}
	}
	for _, path := range []string{"/etc/hostname", "/etc/hosts", "/etc/machine-id", "/etc/shadow", "/etc/network/interfaces"} {
		old, now := strings.Fields(before[path])[:2], strings.Fields(after[path])[:2]
		if !slices.Equal(old, now) {
			t.Errorf("%s has mode and owner %v, want the image's %v", path, now, old)
		}
	}
}

// TestExcludedTasksChangeNothing leaves all tasks out: the disk is the image
// and zeros behind it, also where it held other bytes before.
func TestExcludedTasksChangeNothing(t *testing.T) {
	j := newJob(t, images.Primary("ext4", images.Debian()))
	stale(t, j.disk, 256)
	site.Run(t, j.args("--property", "EXCLUDE_ALL_TASKS=yes")...).OK(t)
	size := oracle.Size(t, j.image)
	if oracle.Digest(t, j.image, 0, size) != oracle.Digest(t, j.disk, 0, size) {
		t.Error("the disk differs from the image")
	}
	if rest := oracle.Size(t, j.disk) - size; !oracle.Zero(t, j.disk, size, rest) {
		t.Errorf("stale bytes in the %d bytes behind the image", rest)
	}
	j.done()
}

// TestCustomizeChangesExactly gives a deployed machine a new name and nothing
// else new.
func TestCustomizeChangesExactly(t *testing.T) {
	j := newJob(t, images.Primary("ext4", images.Debian()))
	site.Run(t, j.args(everything(j)...)...).OK(t)
	before := oracle.ReadTree(t, j.disk, 1)
	head := oracle.Digest(t, j.disk, 0, images.MiB)
	site.Run(t, j.customized("--name", "web2.example.org")...).OK(t)
	j.done()
	want := []string{"! /etc/hostname", "! /etc/hosts"}
	if d := cmp.Diff(want, oracle.Changed(before, oracle.ReadTree(t, j.disk, 1))); d != "" {
		t.Errorf("changes (-want +got):\n%s", d)
	}
	if oracle.Digest(t, j.disk, 0, images.MiB) != head {
		t.Error("customize changed the first MiB of an installed machine")
	}
}

// TestCustomizeDoesWhatIsAsked changes one thing after the other on an installed machine
// whose network is static: nothing else changes, and what is refused changes nothing.
func TestCustomizeDoesWhatIsAsked(t *testing.T) {
	j := newJob(t, images.Primary("ext4", images.Debian()))
	site.Run(t, j.args(everything(j)...)...).OK(t)
	for _, c := range []struct {
		name    string
		args    []string
		want    []string // changes
		refusal string   // or the last line
	}{
		{"password", []string{"--password-file", j.file("new", "another horse\n")}, []string{"! /etc/shadow"}, ""},
		{"unknown user", []string{"--password-file", j.file("new", "x y z\n"), "--new-identity", "--size", "300M", "--property", "USERS=roto"}, nil, `nothing is changed, since ChangePassword cannot be done: the image has no user "roto"`},
		{"unknown owner", []string{"--name", "web9", "--file", j.file("issue", "x\n") + ":/etc/issue:0644:nobdy"}, nil, `nothing is changed, since EnforcePersonality .*the image has no user "nobdy"`},
		{"nothing", nil, nil, "nothing is asked for; say what is to be changed"},
		{"file", []string{"--file", j.file("issue", "hello\n") + ":/etc/issue.d/site:0644"}, []string{"+ /etc/issue.d", "+ /etc/issue.d/site"}, ""},
		{"network", []string{"--nic", "ip=192.0.2.11/24,gateway=192.0.2.1,mac=52:54:00:00:00:01"}, []string{
			"! /etc/network/interfaces", "+ /etc/network/interfaces.snf-image-old",
		}, ""},
		{"identity", []string{"--new-identity"}, []string{
			"! /etc/machine-id", "! /etc/ssh/ssh_host_ecdsa_key", "! /etc/ssh/ssh_host_ecdsa_key.pub",
			"! /etc/ssh/ssh_host_ed25519_key", "! /etc/ssh/ssh_host_ed25519_key.pub",
			"! /etc/ssh/ssh_host_rsa_key", "! /etc/ssh/ssh_host_rsa_key.pub",
		}, ""},
	} {
		before, bytes := oracle.ReadTree(t, j.disk, 1), oracle.Digest(t, j.disk, 0, -1)
		o := site.Run(t, append([]string{"customize", "--disk", j.disk}, c.args...)...)
		if c.want == nil {
			if (o.Code != 8 && o.Code != 2) || !regexp.MustCompile(c.refusal).MatchString(o.LastLine()) {
				t.Errorf("%s: exit code %d, want a refusal that says %q\n%s", c.name, o.Code, c.refusal, o)
			}
			if oracle.Digest(t, j.disk, 0, -1) != bytes {
				t.Errorf("%s: the disk changed\n%s", c.name, o)
			}
			continue
		}
		o.OK(t)
		if d := cmp.Diff(c.want, oracle.Changed(before, oracle.ReadTree(t, j.disk, 1))); d != "" {
			t.Errorf("%s: changes (-want +got):\n%s", c.name, d)
		}
	}
	checkSwapAlone(t, j)
	oracle.Sound(t, j.disk)
}

// stale makes a disk file of so many MiB that holds another tenant's bytes.
func stale(t *testing.T, path string, mib int) {
	t.Helper()
	b := []byte(strings.Repeat("another tenant. ", images.MiB/16))
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for range mib {
		if _, err := f.Write(b); err != nil {
			t.Fatal(err)
		}
	}
}
