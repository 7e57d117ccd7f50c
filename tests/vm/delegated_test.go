package vm

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"snf-image/tests/harness"
	"snf-image/tests/images"
)

// delegation is what runs as the first process of the helper's kernel: control groups are
// delegated as systemd does it, and this program unpacks an image in them. Its disk is in a
// tmpfs, and so is its spool, first in the same one. It prints which groups there are. Then
// the group of a worker that copies is made smaller than that is.
const delegation = `#!/bin/busybox sh
export PATH=/bin:/sbin:/usr/bin:/usr/sbin
b=/bin/busybox
$b mount -t proc proc /proc; $b mount -t sysfs sys /sys; $b mount -t devtmpfs dev /dev
$b mkdir -p /dev/shm /one /two /group; $b mount -t tmpfs none /dev/shm
$b mount -t tmpfs -o size=200m one /one; $b mount -t tmpfs -o size=100m two /two
$b mount -t cgroup2 none /group
echo +memory +pids >/group/cgroup.subtree_control
$b mkdir /group/ours; echo +memory +pids >/group/ours/cgroup.subtree_control
$b mkdir /group/ours/run; echo $$ >/group/ours/run/cgroup.procs
for round in one two memory.max=2M pids.max=1; do
	spool=/two bound=${round%=*}
	[ $round = one ] && spool=/one
	echo "SPOOL_DIR=\"$spool\"" >/conf
	free=$($b df -k /one $spool | $b awk '/%/ && !seen[$NF]++ {n += $4} END {printf "%d", n*1024}')
	echo "BEGIN $bound $free"
	/snf-image --config /conf deploy --image /image.qcow2.gz --disk /one/disk --size 64M --name web1 --property EXCLUDE_ALL_TASKS=yes --report /report 2>/log &
	pid=$!
	while $b kill -0 $pid 2>/dev/null; do
		for g in /group/ours/snf-image-*; do
			[ -e $g ] && echo "GROUP $($b cat $g/memory.max) $($b cat $g/pids.max) $($b wc -l <$g/cgroup.procs)"
			[ $bound = $round ] || case $g in *-2) echo ${round#*=} >$g/$bound; esac
		done
	done 2>/dev/null
	wait $pid; echo "CODE $?"
	$b cat /log; $b grep -o 'worker: control group' /report
	[ -e /one/disk ] && echo "START $($b od -An -tx1 -N 512 -v /one/disk | $b tr -d ' 0\n' | $b wc -c)"
	echo "LEFT $($b ls -d /group/ours/snf-image-* 2>/dev/null | $b wc -l)"
	$b rm -f /one/disk /report
done
echo "END"
echo o >/proc/sysrq-trigger
$b sleep 60
`

// TestTortureGroups runs the program where control groups of version 2 are delegated to it,
// by a kernel of its own: the worker is in one with its limits, and what it keeps in memory
// does not count against it.
func TestTortureGroups(t *testing.T) {
	harness.Gate(t, "qemu-system-x86_64", "qemu-img", "cpio", "gzip")
	t.Parallel()
	dir := harness.Dir(t)
	tree := filepath.Join(dir, "tree")
	if err := os.Mkdir(tree, 0o755); err != nil { // which becomes /
		t.Fatal(err)
	}
	top, err := harness.Top()
	if err != nil {
		t.Fatal(err)
	}
	script(t, `head -c 20M /dev/urandom >$2/raw; truncate -s 48M $2/raw; qemu-img convert -f raw -O qcow2 $2/raw $2/qcow2
		gzip -1 <$2/qcow2 >$1/image.qcow2.gz; cp $3/bin/snf-image $1/`, tree, dir, top)
	if err := os.WriteFile(filepath.Join(tree, "init"), []byte(delegation), 0o755); err != nil {
		t.Fatal(err)
	}
	out := boot(t, dir, tree)
	for _, spool := range []string{"one", "two"} {
		part := round(t, out, spool)
		if !strings.Contains(part, "CODE 0") || !strings.Contains(part, "worker: control group") {
			t.Fatalf("%s: the deployment did not succeed in a group:\n%s", spool, out)
		}
		free, _ := strconv.ParseInt(strings.Fields(part)[0], 10, 64)
		want := int64(1<<30) + free
		groups := regexp.MustCompile(`GROUP (\d+) (\d+) (\d+)`).FindAllStringSubmatch(part, -1)
		if len(groups) == 0 {
			t.Fatalf("%s: no group was seen:\n%s", spool, part)
		}
		last := groups[len(groups)/2]
		if memory, _ := strconv.ParseInt(last[1], 10, 64); memory < want-images.MiB || memory > want || last[2] != "256" || last[3] == "0" {
			t.Errorf("%s: a group has the limits %s and %s and %s processes, want about %d bytes and 256", spool, last[1], last[2], last[3], want)
		}
	}
	for bound, limit := range map[string]string{"memory.max": "2097152", "pids.max": "1"} {
		part := round(t, out, bound)
		if want := "it needed more than its control group allows (" + bound + " " + limit + ")"; !strings.Contains(part, want) || strings.Contains(part, "CODE 0") {
			t.Errorf("%s: the deployment did not fail with %q:\n%s", bound, want, part)
		}
		if regexp.MustCompile("START [1-9]").MatchString(part) {
			t.Errorf("%s: the disk has a boot sector:\n%s", bound, part)
		}
	}
}

// round returns what is printed in a round, which left no group.
func round(t *testing.T, out, name string) string {
	t.Helper()
	_, part, begun := strings.Cut(out, "BEGIN "+name+" ")
	part, rest, ended := strings.Cut(part, "LEFT ")
	if !begun || !ended || !strings.HasPrefix(rest, "0") {
		t.Fatalf("%s: it did not come to its end, or groups are left:\n%s", name, out)
	}
	return part
}

// boot runs the kernel of the helper with files of tree added to those of the helper, and
// returns what it prints.
func boot(t *testing.T, dir, tree string) string {
	t.Helper()
	initramfs := filepath.Join(dir, "initramfs")
	script(t, `cat "$SNF_HELPER"/initramfs-* >$2; cd $1; find . | cpio -o -H newc --quiet >>$2`, tree, initramfs)
	kernel, err := filepath.Glob(filepath.Join(os.Getenv("SNF_HELPER"), "vmlinux-*"))
	if err != nil || len(kernel) != 1 {
		t.Fatalf("the kernel of the helper: %q, %v", kernel, err)
	}
	var out bytes.Buffer
	cmd := exec.CommandContext(t.Context(), "qemu-system-x86_64", "-nodefaults", "-no-user-config", "-machine", "q35", "-accel", "tcg", "-cpu", "max",
		"-m", "1024", "-display", "none", "-no-reboot", "-kernel", kernel[0], "-initrd", initramfs, "-serial", "stdio",
		"-append", "console=ttyS0 quiet panic=-1 cryptomgr.notests")
	cmd.Stdout, cmd.Stderr = &out, &out
	cmd.WaitDelay = time.Second
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v\n%s", err, &out)
	}
	return out.String()
}
