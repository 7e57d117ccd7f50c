package vm

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"snf-image/internal/host/confine"
	"snf-image/internal/report"
	"snf-image/tests/jail"
)

func TestMain(m *testing.M) {
	if os.Args[0] == confine.Name {
		fmt.Fprintln(os.Stderr, confine.Launch(os.Args))
		os.Exit(1)
	}
	if jail.Asked(os.Args) {
		jail.Main(os.Args)
		return
	}
	os.Exit(m.Run())
}

// fakeQEMU writes a shell script that stands for QEMU. The script finds the
// numbers of its descriptors in $console, $monitor and $channel.
func fakeQEMU(t *testing.T, body string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "qemu")
	script := `#!/bin/bash
for a; do
	[[ $a =~ ^socket,id=([a-z]+),fd=([0-9]+) ]] && declare "${BASH_REMATCH[1]}=${BASH_REMATCH[2]}"
done
` + body + "\n"
	if err := os.WriteFile(path, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

func config(t *testing.T, qemu string) Config {
	t.Helper()
	file, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = file.Close() })
	return Config{
		QEMU: qemu, Accelerator: TCG, Kernel: file, Initramfs: file, Cmdline: "quiet", MemoryMiB: 512,
		Disks: []Disk{{File: file, Serial: "disk0"}, {File: file, Serial: "disk1", ReadOnly: true, Direct: true}},
	}
}

// shutdown answers the handshake and tells of a shutdown for that reason.
func shutdown(reason string) string {
	return `read -r hello <&$monitor; [ "$hello" = '{"execute":"qmp_capabilities"}' ] || exit 99
echo '{"QMP":{}}' >&$monitor
echo '{"event":"SHUTDOWN","data":{"guest":true,"reason":"` + reason + `"}}' >&$monitor`
}

// says writes lines to the console.
func says(lines ...string) string {
	return "printf '" + strings.ReplaceAll(strings.Join(lines, `\n`), "'", "") + `\n' >&$console` + "\n"
}

func TestArguments(t *testing.T) {
	t.Parallel()
	cfg := config(t, "qemu")
	cfg.Disks = append(cfg.Disks, Disk{Connect: func() (*os.File, error) { return nil, nil }, Serial: "disk2"})
	p := &plumbing{disks: []int{5, 6, 10}}
	p.fd.kernel, p.fd.initramfs, p.fd.channel, p.fd.console, p.fd.monitor = 3, 4, 7, 8, 9
	want := strings.Fields(`-no-user-config -nodefaults -display none -no-reboot -name snf-image-helper
		-sandbox on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny
		-machine q35,usb=off,vmport=off,sata=off,smbus=off,dump-guest-core=off -m 512 -smp 1
		-kernel /proc/self/fd/3 -initrd /proc/self/fd/4 -append quiet
		-chardev socket,id=console,fd=8 -serial chardev:console
		-chardev socket,id=monitor,fd=9 -mon chardev=monitor,mode=control
		-device virtio-serial-pci,id=serial,max_ports=4
		-chardev socket,id=channel,fd=7 -device virtserialport,bus=serial.0,nr=1,chardev=channel,name=snf-image
		-accel tcg,tb-size=64 -cpu max,avx=off,avx2=off,fma=off,f16c=off,vaes=off,vpclmulqdq=off
		-add-fd fd=5,set=1
		-blockdev driver=file,node-name=disk0,read-only=off,filename=/dev/fdset/1,cache.direct=off,discard=ignore,locking=off
		-device virtio-blk-pci,drive=disk0,serial=disk0,disable-legacy=on,werror=report,rerror=report
		-add-fd fd=6,set=2
		-blockdev driver=file,node-name=disk1,read-only=on,filename=/dev/fdset/2,cache.direct=on,discard=ignore,locking=off
		-device virtio-blk-pci,drive=disk1,serial=disk1,disable-legacy=on,werror=report,rerror=report
		-blockdev driver=nbd,node-name=disk2,read-only=off,server.type=fd,server.str=10
		-device virtio-blk-pci,drive=disk2,serial=disk2,disable-legacy=on,werror=report,rerror=report`)
	if diff := cmp.Diff(want, arguments(cfg, p)); diff != "" {
		t.Errorf("arguments (-want +got):\n%s", diff)
	}
}

func TestExit(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, script string
		want         Exit
	}{
		{"power-off by the guest", shutdown("guest-shutdown"), Exit{Clean: true, Reason: "guest-shutdown"}},
		{"reset", shutdown("guest-reset"), Exit{Reason: "guest-reset"}},
		{
			"panic", says("[    1.234567] sysrq: Trigger a crash", "[    1.234569] Kernel panic - not syncing: sysrq triggered crash", "[    1.234590] Call Trace:") +
				shutdown("guest-reset"),
			Exit{Reason: "guest-reset", Panic: "sysrq triggered crash"},
		},
		{
			"oops", says("[    2.000001][   T17] BUG: kernel NULL pointer dereference, address: 0000000000000008", "[    2.000002][   T17] Oops: Oops: 0002 [#1] SMP",
				"[    2.100000][   T17] Kernel panic - not syncing: Fatal exception", "Kernel panic - not syncing: again") + shutdown("guest-reset"),
			Exit{Reason: "guest-reset", Panic: "Fatal exception (BUG: kernel NULL pointer dereference, address: 0000000000000008)"},
		},
		{
			"a panic whose reset does not work", says("Kernel panic - not syncing: \x1b[2Jbad") + "read -r -t 60 more <&$channel",
			Exit{Reason: "QEMU ended with signal: killed", Panic: `\x1b[2Jbad`},
		},
		{
			"talk of a panic", says("[    1.0] snf: Kernel panic - not syncing: talk", "[    1.1] Kernel panic - not syncing: ", "[    1.2] BUG: talk") + shutdown("guest-reset"),
			Exit{Reason: "guest-reset"},
		},
		{
			"status of an error", shutdown("guest-shutdown") + "\necho oops >&2; exit 3",
			Exit{Reason: "QEMU ended with exit status 3", Stderr: "oops"},
		},
		{"killed", "kill -9 $$", Exit{Reason: "QEMU ended with signal: killed"}},
		{"not a word", "exit 0", Exit{Reason: "QEMU exited without giving a reason"}},
		{
			"a disk fails", `echo '{"event":"BLOCK_IO_ERROR","data":{"node-name":"disk0","operation":"read","reason":"Input/output error"}}' >&$monitor
echo '{"event":"BLOCK_IO_ERROR","data":{"node-name":"disk1","operation":"write","reason":"No space left on device"}}' >&$monitor
echo '{"event":"BLOCK_IO_ERROR","data":{"node-name":"disk0","operation":"write","reason":"later"}}' >&$monitor
` + shutdown("guest-shutdown"),
			Exit{Clean: true, Reason: "guest-shutdown", Disk: &DiskError{1, true, "No space left on device"}},
		},
		{"something else fails", `echo '{"event":"BLOCK_IO_ERROR","data":{"node-name":"disk-1","reason":"x"}}' >&$monitor
echo '{"event":"BLOCK_IO_ERROR","data":{"node-name":"floppy","reason":"x"}}' >&$monitor
` + shutdown("guest-shutdown"), Exit{Clean: true, Reason: "guest-shutdown"}},
		{"garbage on the monitor", "echo '{{{' >&$monitor", Exit{Reason: "QEMU exited without giving a reason"}},
		{"control characters on stderr", shutdown("guest-shutdown") + `
printf 'a\033[2Jb\n' >&2`, Exit{Clean: true, Reason: "guest-shutdown", Stderr: `a\x1b[2Jb`}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			m, err := Start(config(t, fakeQEMU(t, tt.script)))
			if err != nil {
				t.Fatal(err)
			}
			got, err := m.Wait(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			got.CPU = 0
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("exit (-want +got):\n%s", diff)
			}
		})
	}
}

// TestEndedByBounds: the reason of a QEMU that its control group ended names the bound.
func TestEndedByBounds(t *testing.T) {
	t.Parallel()
	killed := new(exec.ExitError)
	err := fmt.Errorf("%w (memory.max 7): %w", confine.ErrBounds, killed)
	if got, want := ended(err), "QEMU ended: it needed more than its control group allows (memory.max 7): "+killed.Error(); got != want {
		t.Errorf("ended by its bounds: %q, want %q", got, want)
	}
	if got, want := ended(killed), "QEMU ended with "+killed.Error(); got != want {
		t.Errorf("ended: %q, want %q", got, want)
	}
}

// TestFlagsOfDisks changes the flags of a disk's open file description, as the image
// worker does: those of QEMU's stay, and QEMU holds the other one, too.
func TestFlagsOfDisks(t *testing.T) {
	t.Parallel()
	disk, err := os.OpenFile(filepath.Join(t.TempDir(), "disk"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer disk.Close()
	cfg := config(t, fakeQEMU(t, `for a; do [[ $a =~ ^fd=([0-9]+),set=1$ ]] && disk=${BASH_REMATCH[1]}; done
echo >&$channel; read -r go <&$channel
sed -n 's/^flags:.//p' /proc/$$/fdinfo/$disk >&2
for fd in /proc/$$/fd/*; do [ $fd -ef /proc/$$/fd/$disk ] && grep -c "flags:.*2002$" /proc/$$/fdinfo/${fd##*/} >&2; done`))
	cfg.Disks = []Disk{{File: disk, Serial: "disk0"}}
	m, err := Start(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.Channel.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	if _, err := unix.FcntlInt(disk.Fd(), unix.F_SETFL, unix.O_APPEND); err != nil {
		t.Fatal(err)
	}
	if _, err := m.Channel.Write([]byte("go\n")); err != nil {
		t.Fatal(err)
	}
	exit, err := m.Wait(t.Context())
	if lines := strings.Fields(exit.Stderr); err != nil || len(lines) != 3 || strings.HasSuffix(lines[0], "2002") || lines[1] == lines[2] {
		t.Errorf("QEMU sees %q, %v, want its own flags, and two descriptions, one with the new flag", exit.Stderr, err)
	}
}

// TestCPU compares the clock of the running process with what it has used when
// it is gone.
func TestCPU(t *testing.T) {
	t.Parallel()
	m, err := Start(config(t, fakeQEMU(t, "for ((i = 0; i < 100000; i++)); do :; done; echo >&$channel; read -r <&$channel")))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.Channel.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	running := m.CPU()
	exit := m.Stop(time.Second)
	if running <= 0 || running > exit.CPU+10*time.Millisecond { // of which the latter is made of
		t.Errorf("CPU() = %v, and %v in the end", running, exit.CPU)
	}
}

// TestForbiddenNamespaces runs as root in a container does: one layer is missing,
// and the report does not claim it.
func TestForbiddenNamespaces(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("needs root, to become somebody else")
	}
	const forbidden = "SNF_TEST_FORBIDDEN"
	if os.Getenv(forbidden) == "" {
		cmd := exec.Command("setpriv", "--bounding-set=-sys_admin", os.Args[0], "-test.run=^TestForbiddenNamespaces$", "-test.v")
		cmd.Env = append(os.Environ(), forbidden+"=1")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("without CAP_SYS_ADMIN: %v\n%s", err, out)
		}
	}
	cfg := config(t, "/bin/true")
	cfg.User = &syscall.Credential{Uid: 65534, Gid: 65534}
	m, err := Start(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Stop(time.Second)
	want := os.Getenv(forbidden) == ""
	if layers := m.Layers(); !slices.Contains(layers, "uid") || slices.Contains(layers, "network namespace") != want {
		t.Errorf("layers %v, want namespaces: %v", layers, want)
	}
	if slices.Contains(m.Missing(), "network namespace") == want {
		t.Errorf("missing %v, want namespaces: %v", m.Missing(), !want)
	}
}

func TestStartWithoutQEMU(t *testing.T) {
	t.Parallel()
	_, err := Start(config(t, "/nonexistent/qemu"))
	if got := report.KindOf(err); got != report.Node {
		t.Errorf("Start() = %v of kind %s, want kind %s", err, got, report.Node)
	}
}

func TestStopKillsWhatIgnoresTERM(t *testing.T) {
	t.Parallel()
	m, err := Start(config(t, fakeQEMU(t, `trap '' TERM; echo ready >&$channel; while :; do read -r -t 60 <&$monitor; done`)))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(m.Channel, make([]byte, 6)); err != nil {
		t.Fatal(err)
	}
	if exit := m.Stop(50 * time.Millisecond); exit.Clean || !strings.Contains(exit.Reason, "killed") {
		t.Errorf("Stop() = %+v, want it killed", exit)
	}
	if err := syscall.Kill(m.PID(), 0); err != syscall.ESRCH {
		t.Errorf("process %d after Stop: %v, want it gone", m.PID(), err)
	}
}

func TestQEMUOutlivesTheThreadThatAskedForIt(t *testing.T) {
	t.Parallel()
	cfg := config(t, fakeQEMU(t, `read -r line <&$channel; `+shutdown("guest-shutdown")))
	var m *Machine
	var err error
	onEndingThread(t, func() { m, err = Start(cfg) })
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.Channel.Write([]byte("\n")); err != nil {
		t.Error(err)
	}
	if exit, err := m.Wait(t.Context()); err != nil || !exit.Clean {
		t.Errorf("Wait() = %+v, %v, want a clean exit", exit, err)
	}
}

// onEndingThread runs f on a thread of its own and returns when that has ended.
// The process's first thread never ends, so it is kept busy meanwhile.
func onEndingThread(t *testing.T, f func()) {
	t.Helper()
	thread, gone := make(chan int), make(chan struct{})
	defer close(gone)
	var try func()
	try = func() {
		runtime.LockOSThread() // returning locked ends the thread
		if unix.Gettid() == os.Getpid() {
			go try()
			<-gone
			runtime.UnlockOSThread()
			return
		}
		f()
		thread <- unix.Gettid()
	}
	go try()
	task := fmt.Sprintf("/proc/self/task/%d", <-thread)
	for range 1_000_000 {
		if _, err := os.Stat(task); errors.Is(err, os.ErrNotExist) {
			return
		}
		runtime.Gosched()
	}
	t.Fatalf("%s is still there", task)
}

func TestQEMUInheritsOnlyWhatIsMeantForIt(t *testing.T) {
	t.Parallel()
	secret := filepath.Join(t.TempDir(), "left-open")
	if err := os.WriteFile(secret, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	fd, err := unix.Open(secret, unix.O_RDONLY, 0) // without O_CLOEXEC, as a careless parent leaves it
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = unix.Close(fd) }()
	high, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD, 200) // beyond the descriptors that QEMU gets
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = unix.Close(high) }()
	m, err := Start(config(t, fakeQEMU(t, `ls -l /proc/$$/fd >&2; `+shutdown("guest-shutdown"))))
	if err != nil {
		t.Fatal(err)
	}
	if exit, err := m.Wait(t.Context()); err != nil || !strings.Contains(exit.Stderr, "/dev/null") || strings.Contains(exit.Stderr, secret) {
		t.Errorf("Wait() = %+v, %v, want the descriptors without %s", exit, err, secret)
	}
}

// TestLimitsHold reads them where the kernel keeps them, also as root in a container that
// must not limit the processes of others.
func TestLimitsHold(t *testing.T) {
	t.Parallel()
	cfg := config(t, fakeQEMU(t, "read -r line <&$channel; "+shutdown("guest-shutdown")))
	if os.Getuid() == 0 {
		if err := os.Chmod(filepath.Dir(filepath.Dir(cfg.QEMU)), 0o755); err != nil {
			t.Fatal(err) // another user must find it
		}
		cfg.User = &syscall.Credential{Uid: 1_899_999_999, Gid: 1_899_999_999}
	}
	m, err := Start(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Stop(time.Second)
	limits, err := os.ReadFile(fmt.Sprintf("/proc/%d/limits", m.PID()))
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Contains(m.Layers(), "rlimits") || !slices.Contains(m.Layers(), "no-new-privs") {
		t.Errorf("layers %q, want rlimits and no-new-privs", m.Layers())
	}
	for name, limit := range map[string]int{"core file size": 0, "open files": 256, "address space": 512<<20 + overhead} {
		if !regexp.MustCompile(fmt.Sprintf(`(?m)^Max %s +%d +%d `, name, limit, limit)).Match(limits) {
			t.Errorf("no limit of %d for %s:\n%s", limit, name, limits)
		}
	}
}

func TestConsoleIsBoundedAndNeverBlocks(t *testing.T) {
	t.Parallel()
	m, err := Start(config(t, fakeQEMU(t, `yes "$(printf '%0700d' 7)" | head -n 20000 >&$console
printf 'last\a' >&$console
`+shutdown("guest-shutdown"))))
	if err != nil {
		t.Fatal(err)
	}
	if exit, err := m.Wait(t.Context()); err != nil || !exit.Clean {
		t.Fatalf("Wait() = %+v, %v, want a clean exit", exit, err)
	}
	lines := strings.Split(m.Console(), "\n")
	if len(lines) > maxLines {
		t.Errorf("console keeps %d lines, want at most %d", len(lines), maxLines)
	}
	if last := lines[len(lines)-1]; last != `last\a` {
		t.Errorf("last line of the console = %q, want %q", last, `last\a`)
	}
	for _, l := range lines {
		if len(l) > report.MaxLine {
			t.Fatalf("console keeps a line of %d bytes, want at most %d", len(l), report.MaxLine)
		}
	}
}

func TestConsoleCutsWhatHasNoLineEnd(t *testing.T) {
	t.Parallel()
	c := newConsole(Config{}, "console")
	for range 100 {
		_, _ = c.Write([]byte(strings.Repeat("x", 1000)))
	}
	if len(c.partial) > maxLineBytes {
		t.Errorf("console holds %d bytes of an unfinished line, want at most %d", len(c.partial), maxLineBytes)
	}
	if got := c.Tail(); !strings.HasPrefix(got, "xxx") {
		t.Errorf("Tail() = %.20q, want x", got)
	}
}

// TestConsoleIsRedacted: what a program of the image prints on the helper's console may
// be a secret, also the one that is cut off where a line becomes too long.
func TestConsoleIsRedacted(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	c := newConsole(Config{
		Log:    slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Redact: func(s string) string { return strings.ReplaceAll(s, "geheim", "[secret]") },
	}, "console")
	long := strings.Repeat("x", report.MaxLine-6) + "geheim"
	_, _ = c.Write([]byte("a geheim b\n" + long + "\nthe geheim end"))
	for name, got := range map[string]string{"Tail": c.Tail(), "log": log.String()} {
		if strings.Contains(got, "gehei") || !strings.Contains(got, "a [secret] b") || !strings.Contains(got, "the [secret] end") {
			t.Errorf("%s is %q", name, got)
		}
	}
}
