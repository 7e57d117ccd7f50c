package vm

import (
	"fmt"
	"strings"
	"testing"

	"snf-image/tests/harness"
	"snf-image/tests/hive"
	"snf-image/tests/images"
	"snf-image/tests/oracle"
)

// needsWindows demands the tools of NTFS and of the registry.
func needsWindows(t *testing.T) {
	t.Helper()
	harness.Gate(t, "mkntfs", "ntfs-3g", "ntfsresize", "fsntfsinfo", "hivexregedit", "hivexml")
}

// TestInspectWindows looks at images of Windows.
func TestInspectWindows(t *testing.T) {
	needsWindows(t)
	for name, c := range map[string]struct {
		image images.Image
		want  []string
	}{
		"2019": {images.WindowsGPT(images.WindowsTree(t, hive.System(t, "2019-amd64"))), []string{
			"Windows Server 2019 Standard", "NT 10.0.17763, amd64, IMAGE_STATE_GENERALIZE_RESEAL_TO_OOBE",
			`OSFAMILY=windows ROOT_PARTITION=3 USERS="Administrator Guest"`,
		}},
		"XP": {images.WindowsMBR(images.WindowsTree(t, hive.System(t, "xp-x86"))), []string{"NT 5.1.2600, x86", "OSFAMILY=windows-legacy ROOT_PARTITION=2"}},
	} {
		t.Run(name, func(t *testing.T) {
			j := newJob(t, c.image)
			o := site.Run(t, "inspect", j.image)
			o.OK(t)
			for _, want := range c.want {
				if !strings.Contains(o.Stdout, want) {
					t.Errorf("inspect does not say %q:\n%s", want, o.Stdout)
				}
			}
		})
	}
}

// TestNTFSDump deploys the dump of a file system with a boot sector of ours, which a firmware
// starts; it says where it lies. No task runs: the dump holds no Windows.
func TestNTFSDump(t *testing.T) {
	needsWindows(t)
	harness.Gate(t, "as", "objcopy")
	j := newJob(t, images.Image{MiB: 32, Parts: []images.Part{{MiB: 32, FS: "ntfs", Label: "C"}}})
	jump := strings.NewReplacer("start:", "begin:	jmp start\n	.org 0x54\nstart:", "- start", "- begin")
	boot, dump := assembled(t, j.dir, jump.Replace(bootSector)), readAt(t, j.image, 0, 512)
	copy(boot[3:], dump[3:0x54]) // the parameters
	writeTo(t, j.image, 0, boot)
	site.Run(t, j.args("--format", "ntfsdump", "--property", "EXCLUDE_ALL_TASKS=yes")...).OK(t)
	j.done()
	table, parts := oracle.ReadTable(t, j.disk)
	if p := parts[1]; table.Label != "dos" || len(parts) != 1 || p.Start != 2048 || p.Type != "7" || p.Size != 32*2048 {
		t.Errorf("table %+v, partitions %+v, want an MBR with partition 1 from sector 2048", table, parts)
	}
	if got := readAt(t, j.disk, images.MiB+28, 4); got[0] != 0 || got[1] != 8 || got[2] != 0 || got[3] != 0 {
		t.Errorf("the boot sector says % x sectors, want 2048", got)
	}
	starts(t, j.disk)
}

// ntfsLast has a Debian, and behind it a data partition of NTFS in a state.
func ntfsLast(state string) images.Image {
	i := images.DataLast(images.Debian())
	i.Parts[1] = images.Part{
		Number: 2, Start: 65, MiB: 16, Type: "7", FS: "ntfs", Label: "data", State: state,
		Tree: images.Tree{{Path: "kept", Data: "kept\n"}, {Path: "journal", Data: images.Unplayed}},
	}
	return i
}

// TestNTFSGrows has a data partition of NTFS grow with the disk of a Debian: afterwards it is
// marked to be checked, unless that is not wanted. What Windows had in the journal of one is in
// its files then.
func TestNTFSGrows(t *testing.T) {
	needsWindows(t)
	for mark, c := range map[string]struct {
		state, content string
		more           []string
	}{
		"DIRTY":  {images.NTFSReplay, images.Replayed, nil},
		"0x0000": {"", images.Unplayed, []string{"--property", "OFFLINE_NTFSRESIZE_NOCHECK=yes"}},
	} {
		t.Run(mark, func(t *testing.T) {
			j := newJob(t, ntfsLast(c.state))
			o := site.Run(t, j.args(c.more...)...)
			o.OK(t)
			j.done()
			if got := oracle.ReadFile(t, j.disk, 2, "journal"); got != c.content {
				t.Errorf("the file that the journal is about holds %.20q\n%s", got, o)
			}
			_, parts := oracle.ReadTable(t, j.disk)
			if fs, size := oracle.FSBytes(t, j.disk, 2), parts[2].Size*512; size < 180*images.MiB || fs > size || fs < size-images.MiB {
				t.Errorf("the file system has %d bytes, want the partition's %d", fs, size)
			}
			if got := oracle.ReadFile(t, j.disk, 2, "kept"); got != "kept\n" {
				t.Errorf("the file holds %q", got)
			}
			loop := sh(t, "losetup", "--read-only", "--find", "--show", "--offset", fmt.Sprint(parts[2].Start*512), "--sizelimit", fmt.Sprint(parts[2].Size*512), j.disk)
			out := sh(t, "sh", "-c", `ntfsinfo --mft --force "$0" | grep Flags; fsntfsinfo "$0" >/dev/null`, strings.TrimSpace(loop))
			sh(t, "losetup", "--detach", strings.TrimSpace(loop))
			if !strings.Contains(out, mark) {
				t.Errorf("flags %q, want %s", out, mark)
			}
		})
	}
}

// TestNTFSRefused has NTFS that Windows did not leave in order: it is not grown, nothing of it
// is thrown away, and the disk does not boot.
func TestNTFSRefused(t *testing.T) {
	needsWindows(t)
	for state, want := range map[string]string{
		images.NTFSDirty:      "it is marked as dirty: .*start that Windows once",
		images.NTFSBad:        "it has a list of bad sectors; .*chkdsk /f /r",
		images.NTFSJournal:    "replaying its journal: .*repair it with chkdsk",
		images.NTFSFast:       "hibernated, was shut down by fast startup, or was stopped by force.*powercfg /h off",
		images.NTFSHibernated: "hibernated, was shut down by fast startup, or was stopped by force.*powercfg /h off",
	} {
		t.Run(state, func(t *testing.T) {
			j := newJob(t, ntfsLast(state))
			site.Run(t, j.args()...).Fails(t, 8, want)
			j.undone()
		})
	}
}
