package vm

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"snf-image/tests/hive"
	"snf-image/tests/images"
	"snf-image/tests/oracle"
)

// windowsArgs are arguments to deploy a Windows.
func (j *job) windowsArgs(more ...string) []string {
	return append([]string{
		"deploy", "--image", j.image, "--disk", j.disk, "--size", "256M",
		"--name", "web1.example.org", "--property", "USERS=Administrator",
	}, more...)
}

// TestWindowsDisk deploys a Windows with a partition for recovery behind C:, as every one
// since Windows 10 has: that moves to the end of the disk with all that it is, and C: grows.
// Its file system grows when Windows starts, or in the helper where that is asked for.
func TestWindowsDisk(t *testing.T) {
	needsWindows(t)
	for name, c := range map[string]struct {
		more  []string
		grown bool
	}{"by Windows": {nil, false}, "offline": {[]string{"--property", "OFFLINE_NTFSRESIZE=yes"}, true}} {
		t.Run(name, func(t *testing.T) {
			image := images.WindowsGPT(images.WindowsTree(t, hive.System(t, "2019-amd64")))
			j := newJob(t, image)
			site.Run(t, j.windowsArgs(c.more...)...).OK(t)
			j.done()
			_, before := oracle.ReadTable(t, j.image)
			_, parts := oracle.ReadTable(t, j.disk)
			recovery, root := parts[4], parts[3]
			want := before[4]
			want.Start, want.Node = recovery.Start, recovery.Node
			if fmt.Sprint(recovery) != fmt.Sprint(want) || recovery.End() < 254*2048 || root.Start != before[3].Start || root.End() != recovery.Start {
				t.Errorf("partitions %+v\nof the image %+v", parts, before)
			}
			const wim = "Recovery/WindowsRE/winre.wim"
			if oracle.ReadFile(t, j.disk, 4, wim) != oracle.ReadFile(t, j.image, 4, wim) {
				t.Error("the content of the partition for recovery changed")
			}
			if text := oracle.ReadFile(t, j.disk, 3, "Windows/SnfScripts/RecoveryEnvironment.cmd"); !strings.Contains(text, "/enable") {
				t.Errorf("Windows is not told of the new place: %q", text)
			}
			if grown := oracle.FSBytes(t, j.disk, 3) > 150*images.MiB; grown != c.grown {
				t.Errorf("the file system of C: has %d bytes", oracle.FSBytes(t, j.disk, 3))
			}
			for _, hive := range []string{"SYSTEM", "SAM", "SOFTWARE"} {
				p := "Windows/System32/config/" + hive
				if now, then := security(t, j.disk, p), security(t, j.image, p); now != then {
					t.Errorf("the access control list of %s was %x, and is %x", hive, then, now)
				}
			}
		})
	}
}

// security returns the access control list of a file of C:.
func security(t *testing.T, disk, name string) (acl string) {
	t.Helper()
	oracle.Mounted(t, disk, 3, func(dir string) {
		buf := make([]byte, 4096)
		n, err := unix.Getxattr(filepath.Join(dir, name), "system.ntfs_acl", buf)
		if err != nil {
			t.Fatal(err)
		}
		acl = string(buf[:n])
	})
	return acl
}
