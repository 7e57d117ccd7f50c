package vm

import (
	"bufio"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"snf-image/tests/harness"
	"snf-image/tests/images"
)

var (
	execCall = regexp.MustCompile(`execve(?:at)?\((?:-?\w+, )?"([^"]*)".*(\) += 0|<unfinished \.\.\.>|<pid changed to \d+ \.\.\.>)$`)
	// Children get roots of their own, of directories of the node that are there. Nothing that is
	// mounted for them has a device.
	mountCall = regexp.MustCompile(`\b(mount\("[^"]|fsopen\("(?:[^tp]|t[^m]|p[^r])|fsconfig\(\d+, FSCONFIG_SET_\w+, "source"|open_tree\(AT_FDCWD, "(?:/dev/[^k]|/[^"]*(?:\.raw|/disk)))`)
	// Asking which files loop devices of others have does not use one: such a file
	// is refused as a disk.
	loopCall = regexp.MustCompile(`"/dev/(loop-control|mapper|nbd|dm-)|"/dev/loop[0-9]+", O_(RDWR|WRONLY)|LOOP_(SET|CTL|CONFIGURE|CHANGE|CLR)|DM_`)
)

// TestSystemCalls follows a deployment and everything it starts: nothing is
// mounted but for the roots of children, no loop device or device mapper is used, and nothing runs
// but our program, QEMU, and what tells which ids are accounts.
func TestSystemCalls(t *testing.T) {
	j := newJob(t, images.GPT("ext4", images.Debian()))
	harness.Gate(t, "strace")
	trace := filepath.Join(j.dir, "trace")
	wrapper := []string{
		"strace", "-f", "--seccomp-bpf", "-qq", "-s", "256", "-o", trace,
		"-e", "trace=execve,execveat,mount,move_mount,fsopen,fsmount,fsconfig,open_tree,open,openat,openat2,ioctl",
	}
	p := site.StartWrapped(t, wrapper, j.args(everything(j)...)...)
	p.Wait().OK(t)
	j.done()

	f, err := os.Open(trace)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var ran []string
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		line := lines.Text()
		if m := execCall.FindStringSubmatch(line); m != nil {
			ran = append(ran, filepath.Base(m[1]))
		}
		if mountCall.MatchString(line) || loopCall.MatchString(line) {
			t.Errorf("the host does: %s", line)
		}
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	slices.Sort(ran)
	if d := cmp.Diff([]string{"exe", "getent", "qemu-system-x86_64", "snf-image"}, slices.Compact(ran)); d != "" {
		t.Errorf("programs (-want +got):\n%s", d)
	}
}

// TestTracePatterns is the positive control of the patterns above.
func TestTracePatterns(t *testing.T) {
	t.Parallel()
	if m := execCall.FindStringSubmatch(`12 execve("/usr/bin/qemu", ["/usr/bin/qemu", "a=b"], 0xc0 /* 3 vars */) = 0`); m == nil || m[1] != "/usr/bin/qemu" {
		t.Errorf("execve: %q", m)
	}
	if m := execCall.FindStringSubmatch(`12 execve("/usr/bin/qemu", ["/usr/bin/qemu", "a=b"], 0xc0 /* 3 vars */ <pid changed to 11 ...>`); m == nil || m[1] != "/usr/bin/qemu" {
		t.Errorf("execve by a thread that is not the first: %q", m)
	}
	if execCall.MatchString(`12 execve("/usr/bin/x", ["x"], 0xc0) = -1 ENOENT (No such file or directory)`) {
		t.Error("an execve that fails counts")
	}
	for _, line := range []string{
		`12 mount("/dev/loop0", "/mnt", "ext4", 0, NULL) = 0`,
		`12 openat(AT_FDCWD, "/dev/loop-control", O_RDWR) = 3`,
		`12 openat(AT_FDCWD, "/dev/loop7", O_RDWR|O_CLOEXEC) = 3`,
		`12 ioctl(3, LOOP_SET_FD, 4) = 0`,
		`12 fsopen("ext4", FSOPEN_CLOEXEC) = 7`,
		`12 open_tree(AT_FDCWD, "/dev/sda1", OPEN_TREE_CLONE) = 7`,
		`12 ioctl(3, LOOP_CONFIGURE, {fd=4}) = 0`,
	} {
		if !mountCall.MatchString(line) && !loopCall.MatchString(line) {
			t.Errorf("not found: %s", line)
		}
	}
	for _, line := range []string{
		`12 openat(AT_FDCWD, "/dev/loop0", O_RDONLY|O_NONBLOCK|O_CLOEXEC) = 12`,
		`12 mount("", "/", "", MS_REC|MS_PRIVATE, "") = 0`,
		`12 fsopen("tmpfs", FSOPEN_CLOEXEC) = 7`,
		`12 fsopen("proc", FSOPEN_CLOEXEC) = 7`,
		`12 open_tree(AT_FDCWD, "/usr/share/qemu", OPEN_TREE_CLONE|OPEN_TREE_CLOEXEC|AT_RECURSIVE) = 7`,
		`12 ioctl(12, LOOP_GET_STATUS64, {lo_offset=0x1200000, lo_number=0}) = 0`,
	} {
		if loopCall.MatchString(line) {
			t.Errorf("looking counts as using: %s", line)
		}
	}
}
