package vm

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"snf-image/tests/harness"
)

// TestMemoryIsGuarded starts the program as an ordinary user, who gives it a password.
// Another process of that user cannot read its memory, and it dumps no core.
func TestMemoryIsGuarded(t *testing.T) {
	harness.Gate(t)
	t.Parallel()
	dir, err := os.MkdirTemp("/var/tmp", "snf-image-test-") // which everybody can reach
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	program, err := os.ReadFile(site.Program)
	if err != nil {
		t.Fatal(err)
	}
	for path, text := range map[string]string{"snf-image": string(program), "conf": ""} {
		if err := os.WriteFile(filepath.Join(dir, path), []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	waiting := nobody(filepath.Join(dir, "snf-image"), "--config", filepath.Join(dir, "conf"),
		"deploy", "--image", "/x", "--disk", "/y", "--name", "web1", "--password-file", "-")
	waiting.Dir = dir
	end := running(t, waiting)
	noCore := regexp.MustCompile(`(?m)^Max core file size +0 +0 `)
	harness.Within(10*time.Second, func() bool { return noCore.MatchString(procFile(waiting, "limits")) })
	if limits := procFile(waiting, "limits"); !noCore.MatchString(limits) {
		t.Errorf("it may dump core:\n%s", limits)
	}
	control := nobody("cat")
	defer running(t, control)()
	if out, err := reads(control, "environ"); err != nil {
		t.Errorf("an ordinary process cannot be read either: %v %s", err, out)
	}
	for _, file := range []string{"environ", "maps", "mem"} {
		if out, err := reads(waiting, file); err == nil || !strings.Contains(out, "Permission denied") {
			t.Errorf("another process can read its %s: %v %s", file, err, out)
		}
	}
	end()
}

// nobody is a command as an ordinary user.
func nobody(args ...string) *exec.Cmd {
	cmd := exec.Command(args[0], args[1:]...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	cmd.Env = []string{"PATH=/usr/bin:/bin", "SHOWN=yes"}
	return cmd
}

// running starts cmd, with an input that lasts until the function it returns is called.
func running(t *testing.T, cmd *exec.Cmd) (end func()) {
	t.Helper()
	var said bytes.Buffer
	cmd.Stderr = &said
	in, err := cmd.StdinPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	return func() {
		_ = in.Close()
		_ = cmd.Wait() // fails for want of a password
	}
}

func procFile(cmd *exec.Cmd, file string) string {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/%s", cmd.Process.Pid, file))
	return string(text)
}

// reads has another process of the same user read a file in /proc.
func reads(cmd *exec.Cmd, file string) (string, error) {
	out, err := nobody("head", "-c", "0", fmt.Sprintf("/proc/%d/%s", cmd.Process.Pid, file)).CombinedOutput()
	return string(out), err
}
