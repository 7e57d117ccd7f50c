package task

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"snf-image/internal/guest/filesystem"
	"snf-image/internal/guest/inspect"
	"snf-image/internal/guest/partition"
	"snf-image/internal/report"
	"snf-image/internal/spec"
)

const windowsGPT = `label: gpt
1: start=2048, size=16384, type=EBD0A0A2-B9E5-4433-87C0-68B6B72699C7, name="C"
2: start=18432, size=40960, type=DE94BBA4-06D1-4D40-A16A-BFD50179D6AC, uuid=5EED0004-0000-4000-8000-000000000004, name="Recovery", attrs="RequiredPartition GUID:63"
`

// windowsRun is diskRun for a Windows, whose second partition is filled; the result is what
// is in that.
func windowsRun(t *testing.T, script string) (*Run, []byte) {
	t.Helper()
	r, _ := diskRun(t, script)
	r.Inspection.OSFamily, r.Plan.Mode = inspect.Windows, spec.ModeDeploy
	f, err := os.OpenFile(r.Disks[0].Path, os.O_RDWR, 0)
	check(t, err)
	defer f.Close()
	table, err := partition.Read(f, 64<<20)
	check(t, err)
	for _, p := range table.Partitions {
		r.Inspection.Partitions = append(r.Inspection.Partitions, report.Partition{Number: p.Number, Start: p.Start, Size: p.Size, Type: p.Type})
	}
	p, _ := table.Partition(2)
	content := make([]byte, p.Size)
	for i := range content {
		content[i] = byte(i>>9 + i)
	}
	for _, at := range []int64{0, p.Size - 512} {
		copy(content[at:], "\xeb\x52\x90NTFS    ")
		binary.LittleEndian.PutUint32(content[at+28:], uint32(p.Start/512))
	}
	_, err = f.WriteAt(content, p.Start)
	check(t, err)
	return r, content
}

// TestRecoveryMoves: a partition for recovery behind the root goes to the end, into which its
// old place reaches, with GUID, name and attributes; the root grows up to it.
func TestRecoveryMoves(t *testing.T) {
	t.Parallel()
	r, content := windowsRun(t, windowsGPT)
	r.Plan.Tasks = []string{spec.FixPartitionTable, spec.InstallUnattend}
	check(t, fixPartitionTable(t.Context(), r))
	if len(r.warnings) > 0 {
		t.Errorf("warnings %q", r.warnings)
	}
	if r.RecoveryMoved != 2 || r.Resize != r.Disks[0].Volume(1) {
		t.Errorf("moved %d, grown %q", r.RecoveryMoved, r.Resize)
	}
	out, err := exec.Command("sfdisk", "-d", r.Disks[0].Path).CombinedOutput()
	check(t, err)
	const start = (64 - 1 - 20) << 20
	for _, want := range []string{
		`1 : start= *2048, size= *86016, `,
		`2 : start= *88064, size= *40960, type=DE94BBA4-06D1-4D40-A16A-BFD50179D6AC, uuid=5EED0004-0000-4000-8000-000000000004, name="Recovery", attrs="RequiredPartition GUID:63"`,
	} {
		if !regexp.MustCompile(want).Match(out) {
			t.Errorf("the table has no %q:\n%s", want, out)
		}
	}
	data, err := os.ReadFile(r.Disks[0].Path)
	check(t, err)
	for _, at := range []int{0, len(content) - 512} {
		binary.LittleEndian.PutUint32(content[at+28:], start/512)
	}
	if !bytes.Equal(data[start:start+len(content)], content) {
		t.Error("the content is not what it was, with the new place in both boot sectors")
	}
}

// TestRecoveryUntold: where nothing tells Windows of the new place, somebody has to.
func TestRecoveryUntold(t *testing.T) {
	t.Parallel()
	r, _ := windowsRun(t, windowsGPT)
	r.Plan.Tasks, r.Plan.Exclude = []string{spec.FixPartitionTable, spec.InstallUnattend}, map[string]string{spec.InstallUnattend: "EXCLUDE_MOUNTED_TASKS"}
	check(t, fixPartitionTable(t.Context(), r))
	if len(r.warnings) != 1 || !strings.Contains(r.warnings[0], "partition 2, from which Windows repairs itself, was moved") || !strings.Contains(r.warnings[0], "reagentc /enable") {
		t.Errorf("warnings %q", r.warnings)
	}
}

// TestMarkedIsFoundFirst: an installed Windows that is going to be checked is refused before
// its partition grows.
func TestMarkedIsFoundFirst(t *testing.T) {
	t.Parallel()
	needs(t, "mkntfs")
	needs(t, "ntfsfix")
	r, _ := diskRun(t, "label: gpt\nstart=2048, size=16384, type=EBD0A0A2-B9E5-4433-87C0-68B6B72699C7\n")
	device := filepath.Join(t.TempDir(), "device")
	check(t, os.WriteFile(device, make([]byte, 8<<20), 0o600))
	for _, args := range [][]string{{"mkntfs", "-F", "-Q", "-q", "-s", "512", "-p", "0", "-H", "0", "-S", "0", device}, {"ntfsfix", device}} {
		if out, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
			t.Fatalf("%q: %v\n%s", args, err, out)
		}
	}
	v := filesystem.Volume{Name: r.Disks[0].Volume(1), Path: device, Number: 1, Type: "ntfs"}
	r.Volumes, r.Target = []filesystem.Volume{v}, t.TempDir()
	r.Inspection.OSFamily, r.Plan.Mode = inspect.Windows, spec.ModeCustomize
	r.Plan.Tasks = []string{spec.FixPartitionTable, spec.FilesystemResizeAfterUmount}
	r.Plan.Properties = map[string]string{spec.PropNTFSResize: "yes"}
	err := r.Prepare(t.Context())
	if _, advised := errors.AsType[*Remedied](err); !advised || !errors.Is(err, filesystem.ErrMarked) {
		t.Errorf("Prepare = %v", err)
	}
}

// TestRecoveryStays: on an MBR, on an installed machine, and where something else than the
// root would grow, it is neither moved nor grown.
func TestRecoveryStays(t *testing.T) {
	t.Parallel()
	mbr := strings.NewReplacer("label: gpt", "label: dos", "EBD0A0A2-B9E5-4433-87C0-68B6B72699C7", "7",
		"DE94BBA4-06D1-4D40-A16A-BFD50179D6AC", "27").Replace(regexp.MustCompile(`, (name|uuid|attrs)=[^\n]*`).ReplaceAllString(windowsGPT, ""))
	for name, c := range map[string]struct {
		script string
		change func(r *Run)
	}{
		"MBR":               {mbr, func(*Run) {}},
		"installed machine": {windowsGPT, func(r *Run) { r.Plan.Mode = spec.ModeCustomize }},
		"root elsewhere":    {windowsGPT, func(r *Run) { r.Inspection.RootPartition = 3 }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, _ := windowsRun(t, c.script)
			c.change(r)
			before, err := os.ReadFile(r.Disks[0].Path)
			check(t, err)
			err = fixPartitionTable(t.Context(), r)
			if _, ok := errors.AsType[*Skipped](err); !ok || len(r.warnings) != 1 || r.RecoveryMoved != 0 || r.Resize != "" {
				t.Errorf("fixPartitionTable = %v, warnings %q", err, r.warnings)
			}
			after, err := os.ReadFile(r.Disks[0].Path)
			check(t, err)
			if !bytes.Equal(before, after) {
				t.Error("the disk changed")
			}
		})
	}
}
