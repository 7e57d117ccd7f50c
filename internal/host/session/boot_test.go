package session

import (
	"bytes"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"snf-image/internal/channel"
	"snf-image/internal/host/confine"
	"snf-image/internal/host/helper"
	"snf-image/internal/host/vm"
	"snf-image/internal/report"
)

func TestMain(m *testing.M) {
	if os.Args[0] == confine.Name {
		fmt.Fprintln(os.Stderr, confine.Launch(os.Args))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// fakeBoot returns a boot whose QEMU says hello on TCG and ends at once on KVM, and
// the file in which that QEMU notes each start.
func fakeBoot(t *testing.T, log *slog.Logger) (b *boot, starts string) {
	t.Helper()
	dir := t.TempDir()
	var hello bytes.Buffer
	if err := channel.Write(&hello, channel.Hello, channel.HelloBody{Version: channel.Version, Nonce: nonce, Digest: digest}, channel.MaxUp); err != nil {
		t.Fatal(err)
	}
	starts = filepath.Join(dir, "starts")
	script := fmt.Sprintf(`#!/bin/bash
accel=tcg
for a; do
	[[ $a =~ ^socket,id=([a-z]+),fd=([0-9]+) ]] && declare "${BASH_REMATCH[1]}=${BASH_REMATCH[2]}"
	[ "$a" = kvm ] && accel=kvm
done
echo $accel >>%[1]s/starts
[ $accel = tcg ] || exit 1
cat %[1]s/hello >&$channel
read -r line <&$channel
`, dir)
	for name, text := range map[string]string{"hello": hello.String(), "qemu": script} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = null.Close() })
	qemu := filepath.Join(dir, "qemu")
	return &boot{
		image: &helper.Image{Kernel: null, Initramfs: null, Manifest: &helper.Manifest{Contents: digest}},
		qemu:  qemu, memoryMiB: 64, nonce: nonce, log: log,
		verdicts: vm.Verdicts{Dir: filepath.Join(dir, "run"), QEMU: qemu},
	}, starts
}

// TestKVMIsTriedOncePerBootOfTheNode starts a helper that KVM does not run, again, and
// once more when the verdict is forgotten, as doctor does.
func TestKVMIsTriedOncePerBootOfTheNode(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	b, starts := fakeBoot(t, slog.New(slog.NewTextHandler(&log, nil)))
	both := vm.Choice{Accelerators: []vm.Accelerator{vm.KVM, vm.TCG}, Why: "it answers"}
	for i, want := range []string{"kvm tcg", "kvm tcg tcg", "kvm tcg tcg kvm tcg"} {
		if i == 2 {
			if err := b.verdicts.Forget(); err != nil {
				t.Fatal(err)
			}
		}
		h, err := b.startOn(t.Context(), both)
		if err != nil {
			t.Fatal(err)
		}
		h.machine.Stop(0)
		text, err := os.ReadFile(starts)
		if got := strings.Join(strings.Fields(string(text)), " "); err != nil || got != want {
			t.Errorf("start %d: QEMU was started with %s, %v, want %s", i+1, got, err, want)
		}
		if c := h.choice; !strings.Contains(c.Why, "kvm did not run the helper") || !strings.Contains(c.Remedy, "nested virtualization") {
			t.Errorf("start %d: chosen because of %+v", i+1, c)
		}
	}
	if n := strings.Count(log.String(), "starting the helper again"); n != 2 {
		t.Errorf("%d warnings, want one for each time KVM was tried:\n%s", n, &log)
	}
}

// TestOnlyKVM: what ACCELERATOR=kvm asks for is tried although it failed before, and nothing
// else; without a KVM that answers nothing is.
func TestOnlyKVM(t *testing.T) {
	t.Parallel()
	b, starts := fakeBoot(t, slog.New(slog.DiscardHandler))
	only := vm.Choice{Accelerators: []vm.Accelerator{vm.KVM}, Why: "ACCELERATOR=kvm"}
	for range 2 {
		if _, err := b.startOn(t.Context(), only); err == nil {
			t.Error("a helper that KVM does not run is up")
		}
	}
	only.Broken, only.Remedy = "no such device", "load it"
	if _, err := b.startOn(t.Context(), only); report.KindOf(err) != report.Node || !strings.Contains(err.Error(), "no such device; load it; or set ACCELERATOR=auto") {
		t.Errorf("without KVM: %v", err)
	}
	text, err := os.ReadFile(starts)
	if got := strings.Join(strings.Fields(string(text)), " "); err != nil || got != "kvm kvm" {
		t.Errorf("QEMU was started with %s, %v, want kvm twice", got, err)
	}
}

// TestWithoutAPlaceKVMIsTriedAgain: the verdict cannot be kept, and the helper runs.
func TestWithoutAPlaceKVMIsTriedAgain(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	b, starts := fakeBoot(t, slog.New(slog.NewTextHandler(&log, nil)))
	b.verdicts.Dir = filepath.Join(b.verdicts.Dir, "missing")
	for range 2 {
		h, err := b.startOn(t.Context(), vm.Choice{Accelerators: []vm.Accelerator{vm.KVM, vm.TCG}})
		if err != nil {
			t.Fatal(err)
		}
		h.machine.Stop(0)
	}
	text, err := os.ReadFile(starts)
	if got := strings.Fields(string(text)); err != nil || len(got) != 4 {
		t.Errorf("QEMU was started with %v, %v, want kvm and tcg twice", got, err)
	}
	if !strings.Contains(log.String(), "the next deployment tries KVM again") {
		t.Errorf("the log does not say that the verdict is not kept:\n%s", &log)
	}
}

// TestPanicIsNotTriedAgain starts a helper whose kernel panics with and without KVM,
// and ends by itself or not: each accelerator is tried once, and the panic is named.
func TestPanicIsNotTriedAgain(t *testing.T) {
	t.Parallel()
	for end, rest := range map[string]string{"resets": "", "stays": "read -r -t 60 line <&$channel"} {
		t.Run(end, func(t *testing.T) {
			t.Parallel()
			var log bytes.Buffer
			b, starts := fakeBoot(t, slog.New(slog.NewTextHandler(&log, nil)))
			script, err := os.ReadFile(b.qemu)
			if err != nil {
				t.Fatal(err)
			}
			head, _, _ := strings.Cut(string(script), "[ $accel = tcg ]")
			text := head + "echo '[    0.5] Kernel panic - not syncing: VFS: no root' >&$console\n" + rest + "\n"
			if err := os.WriteFile(b.qemu, []byte(text), 0o755); err != nil {
				t.Fatal(err)
			}
			_, err = b.startOn(t.Context(), vm.Choice{Accelerators: []vm.Accelerator{vm.KVM, vm.TCG}, Why: "it answers"})
			if report.KindOf(err) != report.Helper || !strings.Contains(err.Error(), "on tcg: the kernel of the helper panicked: VFS: no root") {
				t.Errorf("startOn() = %v of kind %s", err, report.KindOf(err))
			}
			tried, err := os.ReadFile(starts)
			if got := strings.Join(strings.Fields(string(tried)), " "); err != nil || got != "kvm tcg" {
				t.Errorf("QEMU was started with %q, %v, want each accelerator once", got, err)
			}
			for _, want := range []string{"helper console: [    0.5] Kernel panic", "kvm did not run the helper: the kernel of the helper panicked"} {
				if !strings.Contains(log.String(), want) {
					t.Errorf("the log has no %q:\n%s", want, &log)
				}
			}
		})
	}
}
