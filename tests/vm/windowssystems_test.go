package vm

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"snf-image/tests/hive"
	"snf-image/tests/images"
	"snf-image/tests/oracle"
)

// windowsDisk is a disk as that Windows makes it, and which of its partitions is C:. Those
// before 10 have no partition for recovery behind it.
func windowsDisk(t *testing.T, w hive.Windows) (image images.Image, root int) {
	t.Helper()
	tree := images.WindowsTree(t, w)
	if w.Legacy() || w.Set == 2 {
		return images.WindowsMBR(tree), 2
	}
	return images.WindowsGPT(tree), 3
}

// deploysWindows deploys a Windows with name, password, product key and a static address:
// exactly the intended files and values of its registry differ.
func deploysWindows(t *testing.T, name string) {
	t.Helper()
	w := hive.System(t, name)
	image, root := windowsDisk(t, w)
	j := makeJob(t, image)
	site.Run(t, "deploy", "--image", j.image, "--disk", j.disk, "--size", "256M", "--name", "web1.example.org",
		"--password-file", j.file("pw", "Pa&ss^w%d\"!\n"), "--product-key-file", j.file("key", "aaaaa-bbbbb-ccccc-ddddd-eeeee\n"),
		"--property", "USERS=administrator", "--nic", "mac=52:54:00:00:00:01,ip=192.0.2.10,subnet=192.0.2.0/24,gateway=192.0.2.1").OK(t)
	j.done()
	dir, want := "Windows/", []string{"+ /unattend.xml"}
	scripts := "ChangeAdminPassword.cmd ConfigureNetwork.cmd ConfigureNetwork.ps1 ExtendFilesystem RemoteDesktop.cmd"
	switch {
	case w.Legacy():
		dir, scripts = "WINDOWS/", "ChangeAdminPassword.cmd ExtendFilesystem RemoteDesktop.cmd"
		want = []string{"+ /sysprep", "+ /sysprep/i386", "+ /sysprep/i386/$OEM$", "+ /sysprep/i386/$OEM$/CmdLines.txt", "+ /sysprep/sysprep.inf"}
	case strings.HasPrefix(w.Version, "6.1"):
		scripts = strings.Replace(scripts, "ConfigureNetwork.ps1 ", "", 1)
	case root == 3:
		scripts += " RecoveryEnvironment.cmd"
	}
	system := strings.Replace(strings.Replace(dir, "WINDOWS/", "WINDOWS/system32/", 1), "Windows/", "Windows/System32/", 1)
	for _, p := range []string{"+ /DIRSetup", "+ /DIRSetup/Scripts", "+ /DIRSetup/Scripts/SetupComplete.cmd", "+ /DIRSnfScripts"} {
		want = append(want, strings.Replace(p, "DIR", dir, 1))
	}
	for script := range strings.FieldsSeq(scripts) {
		want = append(want, "+ /"+dir+"SnfScripts/"+script)
	}
	want = append(want, "! /"+system+"config/SYSTEM")
	got := oracle.Changed(oracle.ReadTree(t, j.image, root), oracle.ReadTree(t, j.disk, root))
	slices.SortFunc(want, func(a, b string) int { return strings.Compare(a[2:], b[2:]) })
	slices.SortFunc(got, func(a, b string) int { return strings.Compare(a[2:], b[2:]) })
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("changes (-want +got):\n%s", diff)
	}
	registryDiffers(t, j, root, system, w.Set)
}

// TestWindowsSystems deploys a Windows XP, and a Windows 7 of 32 bits; torture has all.
func TestWindowsSystems(t *testing.T) {
	needsWindows(t)
	for _, name := range []string{"xp-x86", "7-x86"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			deploysWindows(t, name)
		})
	}
}

// damagesWindows deploys a Windows that is damaged: its registry, the first MiB of C:, which
// has the table of files, or anything of it.
func damagesWindows(t *testing.T, r *rand.Rand) {
	t.Helper()
	names := slices.Sorted(maps.Keys(hive.Systems()))
	w := hive.System(t, names[r.IntN(len(names))])
	image, root := windowsDisk(t, w)
	kind := r.IntN(3)
	if tree := image.Parts[root-1].Tree; kind == 0 {
		for range 1 + r.IntN(60) {
			hives := tree[len(tree)-3:]
			e := &hives[r.IntN(3)]
			data := []byte(e.Data)
			at := r.IntN(len(data))
			if r.IntN(4) > 0 { // most of it is not in the head
				at = max(at, 4096)
			}
			data[at] = byte([]int{0, 0xff, 0x7f, 0x80, r.IntN(256)}[r.IntN(5)])
			e.Data = string(data)
		}
	}
	j := makeJob(t, image)
	_, parts := oracle.ReadTable(t, j.image)
	switch start := parts[root].Start * 512; kind {
	case 1:
		damage(t, r, j.image, start, images.MiB)
	case 2:
		damage(t, r, j.image, start, parts[root].Size*512)
	}
	t.Logf("%s, damaged: %d", w.Name, kind)
	more := [][]string{nil, {"--property", "OFFLINE_NTFSRESIZE=yes"}}[r.IntN(2)]
	judgeDamaged(t, j, site.Run(t, j.windowsArgs(append(more, "--password-file", j.file("pw", "Geheim&1\n"))...)...))
}

// TestWindowsDamaged has three of them, one of each kind.
func TestWindowsDamaged(t *testing.T) {
	needsWindows(t)
	for i := range 3 {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			t.Parallel()
			damagesWindows(t, rand.New(rand.NewPCG(16, uint64(i))))
		})
	}
}

// TestTortureWindows deploys each version of Windows, has each refused that is not to be deployed, and then
// damaged ones.
func TestTortureWindows(t *testing.T) {
	needsWindows(t)
	names, bad := slices.Sorted(maps.Keys(hive.Systems())), refusals(t)
	refused := slices.Sorted(maps.Keys(bad))
	known := len(names) + len(refused)
	endure(t, "windows", known+setting(t, "SNF_WINDOWS", 2), func(t *testing.T, i int, r *rand.Rand) {
		switch {
		case i <= len(names):
			t.Log(names[i-1])
			deploysWindows(t, names[i-1])
		case i <= known:
			name := refused[i-1-len(names)]
			t.Log(name)
			refusesWindows(t, bad[name], asImage, asMachine)
		default:
			damagesWindows(t, r)
		}
	})
}
