package vm

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"snf-image/tests/harness"
	"snf-image/tests/images"
	"snf-image/tests/oracle"
)

// hostile are images that try to reach out of their tree, or to make the agent
// hang. Whatever a task does with them, it stays inside.
var hostile = map[string][]images.Entry{
	"hostname is a link to the agent":        {{Path: "etc/hostname", Link: "/init"}},
	"hostname is a link out of the tree":     {{Path: "etc/hostname", Link: "../../../../../../../etc/snf-image/contents.json"}},
	"hostname is a link through proc":        {{Path: "etc/hostname", Link: "/proc/1/root/init"}},
	"hostname is a FIFO":                     {{Path: "etc/hostname", Mode: unix.S_IFIFO | 0o666}},
	"hostname is the second disk":            {{Path: "etc/hostname", Mode: unix.S_IFBLK | 0o666, Dev: int(unix.Mkdev(254, 16))}},
	"hostname is the head device":            {{Path: "etc/hostname", Mode: unix.S_IFBLK | 0o666, Dev: int(unix.Mkdev(254, 32))}},
	"hostname is a directory":                {{Path: "etc/hostname/"}},
	"hostname is a link to passwd":           {{Path: "etc/hostname", Link: "/etc/passwd"}},
	"shadow is a FIFO":                       {{Path: "etc/shadow", Mode: unix.S_IFIFO | 0o666}},
	"shadow is an endless device":            {{Path: "etc/shadow", Mode: unix.S_IFCHR | 0o666, Dev: int(unix.Mkdev(1, 5))}},
	"shadow is a link out of the tree":       {{Path: "etc/shadow", Link: "/../../../../init"}},
	"shadow links to itself":                 {{Path: "etc/shadow", Link: "shadow"}},
	"passwd is a device that blocks":         {{Path: "etc/passwd", Mode: unix.S_IFCHR | 0o666, Dev: int(unix.Mkdev(5, 1))}},
	"machine-id is a sparse file of 100 GiB": {{Path: "etc/machine-id", Sparse: 100 << 30}},
	"shadow is a sparse file of 100 GiB":     {{Path: "etc/shadow", Sparse: 100 << 30}},
	".ssh is a link to etc":                  {{Path: "root/.ssh", Link: "/etc"}},
	".ssh is a link out of the tree":         {{Path: "root/.ssh", Link: "../../../../../../../etc"}},
	".ssh is a FIFO":                         {{Path: "root/.ssh", Mode: unix.S_IFIFO | 0o666}},
	"authorized_keys is a device":            {{Path: "root/.ssh/", Mode: 0o700}, {Path: "root/.ssh/authorized_keys", Mode: unix.S_IFBLK | 0o666, Dev: int(unix.Mkdev(254, 16))}},
	"host key is a directory":                {{Path: "etc/ssh/ssh_host_rsa_key/"}, {Path: "etc/ssh/ssh_host_rsa_key/x", Data: "x"}},
	"HostKey names the agent":                {{Path: "etc/ssh/sshd_config", Data: "HostKey /../../init\nHostKey /proc/1/exe\n"}},
	"AuthorizedKeysFile climbs":              {{Path: "etc/ssh/sshd_config", Data: "AuthorizedKeysFile ../../../../../../init\n"}},
	"sshd_config includes itself":            {{Path: "etc/ssh/sshd_config", Data: "Include /etc/ssh/sshd_config\n"}},
	"sshd_config includes a FIFO":            {{Path: "etc/ssh/sshd_config", Data: "Include /etc/ssh/p\n"}, {Path: "etc/ssh/p", Mode: unix.S_IFIFO | 0o666}},
	"interfaces is a link to a device":       {{Path: "etc/network/interfaces", Link: "/dev/vda"}},
	"the home climbs":                        {{Path: "etc/passwd", Data: "root:x:0:0:root:/../../../../etc:/bin/bash\n"}},
	"fstab mounts over etc":                  {{Path: "etc/fstab", Data: "UUID=" + images.RootUUID + " / ext4 defaults 0 1\n/proc/1/root /etc none bind 0 0\n"}},
	"fstab mounts out of the tree":           {{Path: "etc/fstab", Data: "UUID=" + images.RootUUID + " / ext4 defaults 0 1\nUUID=" + images.RootUUID + " /../../../../etc ext4 defaults 0 0\n"}},
	"fstab names the second disk":            {{Path: "etc/fstab", Data: "/dev/vdb / ext4 defaults 0 1\n"}},
	"os-release is a FIFO":                   {{Path: "usr/lib/os-release", Mode: unix.S_IFIFO | 0o666}},
	"os-release is full of escapes":          {{Path: "usr/lib/os-release", Data: "ID=debian\nPRETTY_NAME=\"\x1b]0;owned\x07\x1b[2J\"\n"}},
	"names with line breaks":                 {{Path: "etc/ssh/ssh_host_\x1b[2J\nsnf-image: info: forged", Data: "x"}},
}

// TestHostileImages deploys each of them. It must end in time, refused or done;
// the file system stays sound, the other disk and the host untouched, and the
// helper's own files are the same afterwards as with a good image.
func TestHostileImages(t *testing.T) {
	for name, entries := range hostile {
		t.Run(name, func(t *testing.T) {
			attack(t, newJob(t, images.Primary("ext4", evil(entries))))
		})
	}
}

// attack deploys a hostile image.
func attack(t *testing.T, j *job) {
	t.Helper()
	second := filepath.Join(j.dir, "second.raw")
	stale(t, second, 4)
	canary := canaryDirectory(t, j.dir)
	digest := oracle.Digest(t, second, 0, -1)

	args := append(everything(j), "--disk", second)
	o := site.With(t, `IMAGE_DEBUG="yes"`).Run(t, j.args(append(args, custom(fingerprintHelper)...)...)...)
	checkContained(t, j, o)
	if oracle.Digest(t, second, 0, -1) != digest {
		t.Error("the second disk changed")
	}
	if got := readCanaries(t, canary); got != canaries {
		t.Errorf("the host directory holds %q, want %q", got, canaries)
	}
	harness.NothingLeft(t, second)
}

// fingerprintHelper is a CUSTOM_TASK that fails unless the helper's own files
// are those its list of contents names, with the digests there, and no others
// lie beside them: a task that followed a link out of the image would show. A file that
// was changed differs twice; an emulated processor that errs once does not. It prints what
// differs, and what is in its place.
const fingerprintHelper = `set -eo pipefail
cd /
tr -d ' \n' < /etc/snf-image/contents.json |
    grep -o '"path":"[^"]*","size":[0-9]*,"sha256":"[0-9a-f]*"' |
    sed 's/"path":"\([^"]*\)".*"sha256":"\([0-9a-f]*\)"/\2  \1/' > /tmp/listed
[ "$(wc -l < /tmp/listed)" -gt 50 ]
differing() { sha256sum -c /tmp/listed > /tmp/sums 2>&1 && return 1; grep -v ': OK$' /tmp/sums > /tmp/differing || :; }
if differing && differing; then
    echo "these differ:"; cat /tmp/differing
    sed -n 's/: FAILED.*//p' /tmp/differing | while read -r f; do ls -ln "$f"; sha256sum "$f"; grep -F "  $f" /tmp/listed; done
    exit 1
fi
cut -c 67- /tmp/listed | grep -E '^/?(etc|usr|root|home)/' | sed 's|^/*|/|' | sort > /tmp/expected
find /etc /usr /root /home -xdev -type f 2>/dev/null | grep -v '^/etc/snf-image/contents.json$' | sort > /tmp/found || :
diff /tmp/expected /tmp/found`

func evil(entries []images.Entry) images.Tree {
	tree := images.Debian()
	for _, e := range entries {
		// A file becomes a directory, or the reverse: what was below is gone.
		var kept images.Tree
		for _, old := range tree {
			if !strings.HasPrefix(old.Path, strings.Trim(e.Path, "/")+"/") || old.Path == e.Path {
				kept = append(kept, old)
			}
		}
		tree = kept
	}
	return tree.With(entries...)
}

// checkContained accepts success and refusal by a task, in time and said in
// the documented form.
func checkContained(t *testing.T, j *job, o harness.Outcome) {
	t.Helper()
	if o.Took > 100*time.Second {
		t.Errorf("took %v\n%s", o.Took, o)
	}
	if strings.ContainsAny(o.Stderr+o.Stdout, "\x1b\x07") || strings.Contains(o.Stderr, "\nsnf-image: info: forged") {
		t.Errorf("the image writes into the log: %q", o.Stderr)
	}
	if o.Code == 0 {
		j.done()
		return
	}
	o.Fails(t, 8, "RunCustomTask|AssignHostname|ChangeMachineId|ChangePassword|ConfigureNetwork|DeleteSSHKeys|"+
		"EnforcePersonality|MountImage|fstab|/etc/|refused")
	if strings.Contains(o.LastLine(), "RunCustomTask") {
		t.Errorf("the helper's own files changed\n%s", o)
	}
	j.undone()
}

const canaries = "hosts=canary hostname=canary "

// canaryDirectory makes a directory on the host that must stay as it is.
func canaryDirectory(t *testing.T, dir string) string {
	t.Helper()
	canary := filepath.Join(dir, "canary")
	if err := os.Mkdir(canary, 0o777); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"hosts", "hostname"} {
		harness.File(t, canary, name, "canary")
	}
	return canary
}

func readCanaries(t *testing.T, dir string) string {
	t.Helper()
	var b strings.Builder
	for _, name := range []string{"hosts", "hostname"} {
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Error(err)
		}
		b.WriteString(name + "=" + string(text) + " ")
	}
	return b.String()
}
