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

// TestWindowsRefused has images of Windows that are not to be deployed: the disk does not boot.
// The same disk as that of a machine is not touched.
func TestWindowsRefused(t *testing.T) {
	needsWindows(t)
	machine, dirty := hive.System(t, "2019-amd64"), hive.System(t, "2019-amd64")
	machine.State = "IMAGE_STATE_COMPLETE"
	for name, c := range map[string]struct {
		windows hive.Windows
		state   string
		change  func(t *testing.T, tree images.Tree) images.Tree
		more    []string
		code    int
		want    string
	}{
		"never generalized": {machine, "", nil, nil, 3, "never generalized.*sysprep /generalize"},
		"fast startup":      {dirty, images.NTFSFast, nil, nil, 8, "fast startup.*powercfg /h off"},
		"dirty hive": {dirty, "", func(t *testing.T, tree images.Tree) images.Tree {
			for i := range tree {
				if strings.HasSuffix(tree[i].Path, "config/SYSTEM") {
					data := []byte(tree[i].Data)
					data[4]++ // the first sequence number
					tree[i].Data = string(data)
				}
			}
			return tree
		}, nil, 3, "config/SYSTEM.*not written completely.*seal it again, and let sysprep shut it down"},
		"damaged hive": {dirty, "", func(t *testing.T, tree images.Tree) images.Tree {
			for i := range tree {
				if strings.HasSuffix(tree[i].Path, "config/SYSTEM") {
					tree[i].Data = strings.Replace(tree[i].Data, "hbin", "hbim", 1) // where we do not look
				}
			}
			return tree
		}, nil, 8, "DisableRemoteDesktopConnections.*config/SYSTEM.*damaged registry hive: it cannot be changed"},
		"junction": {dirty, "", func(_ *testing.T, tree images.Tree) images.Tree {
			return append(tree, images.Entry{Path: "Data/"}, images.Junction("Shortcut", `C:\Data`))
		}, []string{"--file", "/etc/hostname:/Shortcut/f"}, 8, `C:.Shortcut is not a directory, or is a link`},
		"encrypted": {dirty, images.NTFSEncrypted, func(_ *testing.T, tree images.Tree) images.Tree {
			return append(tree, images.Entry{Path: "unattend.xml", Data: strings.Repeat("<!-- x -->", 500)})
		}, nil, 8, `C:.unattend.xml is encrypted.*cipher /d`},
		"of another family": {dirty, "", nil, []string{"--property", "OSFAMILY=windows-legacy"}, 3, "Windows NT 10.0, which is not of the family windows-legacy"},
	} {
		t.Run(name, func(t *testing.T) {
			tree := images.WindowsTree(t, c.windows)
			if c.change != nil {
				tree = c.change(t, tree)
			}
			image := images.WindowsGPT(tree)
			image.Parts[2].State = c.state
			j := newJob(t, image)
			site.Run(t, j.windowsArgs(c.more...)...).Fails(t, c.code, c.want)
			if size := oracle.Size(t, j.disk); size != 256*images.MiB {
				t.Errorf("the disk has %d bytes", size)
			}
			j.undone()
			before := oracle.Digest(t, j.image, 0, -1)
			again := []string{"customize", "--disk", j.image, "--answer-file", j.file("answer.xml", answerWith(""))}
			if c.state == images.NTFSEncrypted {
				again = []string{"customize", "--disk", j.image, "--product-key-file", j.file("key", "aaaaa-bbbbb-ccccc-ddddd-eeeee\n")}
			}
			site.Run(t, append(again, c.more...)...).Fails(t, 8, c.want)
			if oracle.Digest(t, j.image, 0, -1) != before {
				t.Error("the disk of a machine changed")
			}
		})
	}
}
