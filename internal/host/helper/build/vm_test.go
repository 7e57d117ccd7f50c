package build

import (
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"snf-image/internal/host/helper"
	"snf-image/tests/require"
)

// TestHelperImageBoots builds the helper image from Debian's packages, twice,
// compares, and boots it on TCG. It needs apt, a network and QEMU.
func TestHelperImageBoots(t *testing.T) {
	if os.Getenv("SNF_VM") != "1" {
		t.Skip("SNF_VM=1 is not set")
	}
	qemu := require.Tool(t, "qemu-system-x86_64")
	dir := t.TempDir()
	agent := filepath.Join(dir, "smoke")
	compile := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", agent, "./testdata/smoke")
	compile.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := compile.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	opts := Options{Dir: filepath.Join(dir, "a"), Agent: agent, Release: "1", Log: slog.New(slog.DiscardHandler)}
	first, err := Build(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	opts.Dir = filepath.Join(dir, "b")
	second, err := Build(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(first, second); diff != "" {
		t.Errorf("the second build differs (-first +second):\n%s", diff)
	}
	image, err := helper.Open(opts.Dir, helper.OpenOptions{Release: "1"})
	if err != nil {
		t.Fatal(err)
	}
	defer image.Close()
	if total := first.Vmlinux.Size + first.Initramfs.Size; total > 75e6 {
		t.Errorf("the helper image has %d bytes, more than 75 MB", total)
	}
	boot(t, qemu, image)
}

// boot boots image and expects the smoke agent to pass everything.
func boot(t *testing.T, qemu string, image *helper.Image) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), qemu, "-no-user-config", "-nodefaults", "-nographic", "-no-reboot",
		"-machine", "q35", "-accel", "tcg", "-cpu", "max", "-m", "256",
		"-kernel", "/proc/self/fd/3", "-initrd", "/proc/self/fd/4", "-append", helper.Cmdline+" "+helper.CmdlineTCG(),
		"-serial", "stdio", "-device", "virtio-serial-pci",
		"-drive", "if=none,id=d,driver=null-co,size=1M", "-device", "virtio-blk-pci,drive=d")
	cmd.ExtraFiles = []*os.File{image.Kernel, image.Initramfs}
	start := time.Now()
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%q: %v\n%s", cmd.Args, err, out)
	}
	for line := range strings.SplitSeq(string(out), "\n") {
		if strings.HasPrefix(line, "SMOKE fail") {
			t.Error(line)
		}
	}
	if !strings.Contains(string(out), "SMOKE end") {
		t.Errorf("the agent did not get to its end:\n%s", out)
	}
	t.Logf("%d checks, %.2f CPU s, %.2f s", strings.Count(string(out), "SMOKE pass"),
		(cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()).Seconds(), time.Since(start).Seconds())
}
