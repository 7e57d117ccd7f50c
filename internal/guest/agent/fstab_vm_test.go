package agent

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"snf-image/internal/spec"
)

// TestFstabInVM has a second disk with a FAT file system, named in fstab, and a
// program that looks at the mounts from inside.
func TestFstabInVM(t *testing.T) {
	disk := image(t, 4<<30)
	data := filepath.Join(t.TempDir(), "data")
	must(t, os.WriteFile(data, make([]byte, 16<<20), 0o600))
	must(t, exec.Command("mkfs.vfat", "-n", "DATA", data).Run())
	archive := filepath.Join(t.TempDir(), "archive")
	must(t, os.WriteFile(archive, make([]byte, 16<<20), 0o600))
	must(t, exec.Command("mkfs.ext4", "-q", "-L", "ARCHIVE", archive).Run())
	addToFstab(t, disk, "LABEL=DATA /srv vfat defaults 0 2\nLABEL=ARCHIVE /opt ext4 defaults 0 2\nUUID=none /none ext4 nofail 0 2\n/dev/sr0 /cd auto noauto 0 0\n")
	h := boot(t, "disk0="+disk, "disk1="+data, "disk2="+archive+",readonly=on")
	p := plan(spec.ModeCustomize, spec.MountImage, spec.RunCustomTask, spec.UmountImage)
	p.Disks = append(p.Disks, spec.PlanDisk{Serial: "disk1"}, spec.PlanDisk{Serial: "disk2", ReadOnly: true})
	h.customize(p, &spec.Credentials{CustomTask: []byte("#!/bin/bash\nset -e\n" +
		"grep -q \"^/dev/disk-b $SNF_IMAGE_TARGET/srv vfat rw\" /proc/mounts\n" +
		"grep -q \"^/dev/disk-c $SNF_IMAGE_TARGET/opt ext4 ro\" /proc/mounts\necho hello >$SNF_IMAGE_TARGET/srv/hello\n")})
	r := h.finish()
	if r.Error != "" {
		t.Fatalf("result: %s; %s", r.Error, r.Remedy)
	}
	if len(r.Tasks) != 3 || len(r.Tasks[0].Warnings) != 1 || !strings.Contains(r.Tasks[0].Warnings[0], "/none is not mounted") {
		t.Errorf("tasks: %+v", r.Tasks)
	}
	if b, err := os.ReadFile(data); err != nil || !bytes.Contains(b, []byte("hello\n")) {
		t.Errorf("the file on the second disk is missing: %v", err)
	}
}

// addToFstab appends to /etc/fstab in the root file system of the disk, which
// starts at 18 MiB in the GPT image.
func addToFstab(t *testing.T, disk, lines string) {
	t.Helper()
	at := disk + "?offset=18874368"
	old, err := exec.Command("debugfs", "-R", "cat /etc/fstab", at).Output()
	must(t, err)
	file := filepath.Join(t.TempDir(), "fstab")
	must(t, os.WriteFile(file, append(old, lines...), 0o600))
	script := strings.NewReader("rm /etc/fstab\nwrite " + file + " /etc/fstab\n")
	cmd := exec.Command("debugfs", "-w", at)
	cmd.Stdin = script
	must(t, cmd.Run())
}
