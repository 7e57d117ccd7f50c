// Command rogue is an agent that misbehaves: the tests build a helper image
// with it and show that the host survives and never takes it for success. What it
// does is chosen by the first label of the instance's name.
package main

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"snf-image/internal/channel"
	"snf-image/internal/report"
	"snf-image/internal/spec"
)

func main() {
	if len(os.Args) == 2 && os.Args[1] == oopsArgument {
		fmt.Fprintln(os.Stderr, loadBroken())
		os.Exit(1)
	}
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "rogue:", err)
	}
	_ = unix.Reboot(unix.LINUX_REBOOT_CMD_POWER_OFF)
}

// run brings the system up, says hello as the real agent does, and does its
// mischief.
func run() error {
	if err := setUp(); err != nil {
		return err
	}
	if act := early[diskMiB()]; act != nil {
		return act()
	}
	port, err := openPort()
	if err != nil {
		return err
	}
	nonce := argument("snf.nonce")
	contents, err := os.ReadFile("/etc/snf-image/contents.json")
	if err != nil {
		return err
	}
	hello := channel.HelloBody{
		Version: channel.Version, Nonce: nonce,
		Digest: fmt.Sprintf("%x", sha256.Sum256(contents)),
	}
	if err := channel.Write(port, channel.Hello, hello, channel.MaxUp); err != nil {
		return err
	}
	in := channel.NewAgentReader(port)
	m, err := in.Read()
	if err != nil {
		return err
	}
	var plan spec.Plan
	if err := json.Unmarshal(m.Body, &plan); err != nil {
		return err
	}
	kind, _, _ := strings.Cut(plan.InstanceName, ".")
	act := mischief[kind]
	if act == nil {
		return fmt.Errorf("no mischief is called %q", kind)
	}
	return act(&actor{port: port, in: in, plan: &plan})
}

// setUp does the least that makes the port appear.
func setUp() error {
	for _, m := range [][2]string{{"devtmpfs", "/dev"}, {"proc", "/proc"}, {"sysfs", "/sys"}} {
		_ = os.MkdirAll(m[1], 0o755)
		if err := unix.Mount(m[0], m[1], m[0], 0, ""); err != nil {
			return fmt.Errorf("mounting %s: %w", m[0], err)
		}
	}
	b, err := os.ReadFile("/etc/snf-image/modules.json")
	if err != nil {
		return err
	}
	var modules struct{ Boot []string }
	if err := json.Unmarshal(b, &modules); err != nil {
		return err
	}
	for _, path := range modules.Boot {
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		_ = unix.FinitModule(int(f.Fd()), "", 0)
		_ = f.Close()
	}
	return nil
}

func openPort() (*os.File, error) {
	for range 600 {
		names, _ := filepath.Glob("/sys/class/virtio-ports/*/name")
		for _, n := range names {
			if b, err := os.ReadFile(n); err == nil && strings.TrimSpace(string(b)) == "snf-image" {
				return openRaw("/dev/" + filepath.Base(filepath.Dir(n)))
			}
		}
		time.Sleep(50 * time.Millisecond)
	}
	return nil, fmt.Errorf("no port appeared")
}

// openRaw opens a device for blocking use, outside of Go's poller.
func openRaw(path string) (*os.File, error) {
	fd, err := unix.Open(path, unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), path), nil
}

// argument returns a value from the kernel's command line.
func argument(name string) string {
	b, _ := os.ReadFile("/proc/cmdline")
	for field := range strings.FieldsSeq(string(b)) {
		if value, ok := strings.CutPrefix(field, name+"="); ok {
			return value
		}
	}
	return ""
}

// success is a result as the host would accept it.
func success(plan *spec.Plan) report.Result {
	r := report.Result{Nonce: plan.Nonce}
	for _, name := range plan.Tasks {
		r.Tasks = append(r.Tasks, report.TaskResult{Name: name, Outcome: report.Done})
	}
	return r
}
