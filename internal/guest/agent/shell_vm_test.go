package agent

import (
	"bytes"
	"io"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"snf-image/internal/channel"
	"snf-image/internal/spec"
)

// TestShellInVM types into the rescue shell and leaves it.
func TestShellInVM(t *testing.T) {
	disk := image(t, 4<<30)
	h := boot(t, "disk0="+disk)
	h.send(channel.Plan, plan(spec.ModeShell))
	h.send(channel.DiskReady, channel.DiskReadyBody{})
	out := h.typeIn("echo $((6*7)); tty; mount -o ro /dev/disk-a3 /mnt/target && ls -d /mnt/target/e*; sleep 1000 & exit\n")
	for _, want := range []string{"snf-image helper", "disk 0: /dev/disk-a", "42\r\n", "/dev/pts/0", "/mnt/target/etc"} {
		if !strings.Contains(out, want) {
			t.Errorf("the shell printed %q, want %q in it", out, want)
		}
	}
	if r := h.finish(); r.Error != "" || len(r.Tasks) != 0 {
		t.Errorf("result: %+v", r)
	}
}

// TestDebugShellInVM has a task fail with HELPER_DEBUG on; the host hangs up.
func TestDebugShellInVM(t *testing.T) {
	h := boot(t, "disk0="+image(t, 4<<30))
	p := plan(spec.ModeCustomize, spec.MountImage, spec.RunCustomTask, spec.UmountImage)
	p.DebugShell = true
	h.customize(p, &spec.Credentials{CustomTask: failingProgram})
	conn := h.dialShell()
	b := make([]byte, 4096)
	var seen []byte
	for !bytes.Contains(seen, []byte("# ")) {
		n, err := conn.Read(b)
		must(t, err)
		seen = append(seen, b[:n]...)
	}
	if !bytes.Contains(seen, []byte("RunCustomTask failed: ")) {
		t.Errorf("the shell says %q", seen)
	}
	must(t, conn.Close())
	if r := h.finish(); !strings.Contains(r.Error, "exit status 3") {
		t.Errorf("error %q", r.Error)
	}
}

func (h *helper) dialShell() net.Conn {
	h.t.Helper()
	conn, err := net.Dial("unix", filepath.Join(h.dir, "shell"))
	must(h.t, err)
	h.t.Cleanup(func() { conn.Close() })
	must(h.t, conn.SetDeadline(time.Now().Add(time.Minute)))
	return conn
}

// typeIn types the line and returns all that the shell prints up to its end.
func (h *helper) typeIn(line string) string {
	h.t.Helper()
	conn := h.dialShell()
	_, err := io.WriteString(conn, line)
	must(h.t, err)
	out, _ := io.ReadAll(conn) // ends when QEMU does
	return string(out)
}
