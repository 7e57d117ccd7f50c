package main

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"snf-image/internal/host/ganeti"
)

func TestDumpRefuses(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, script := range []string{"export", "import"} {
		prefix := strings.ToUpper(script)
		for _, tc := range []struct {
			name string
			env  ganeti.Environment
			code int
			want string
		}{
			{"no disk", nil, 2, "checking what Ganeti passed, on " + prefix + "_DEVICE: it is not set"},
			{"URI alone", ganeti.Environment{prefix + "_DISK_URI": "json:{}", prefix + "_INDEX": "1"}, 2, "on " + prefix + "_DISK_URI: a URI has to begin with one of rbd, nbd,"},
			{"URI and a path to no disk", ganeti.Environment{prefix + "_DISK_URI": "rbd:x:key=y", prefix + "_DEVICE": dir}, 2, "a password or key"},
			{"no descriptor", ganeti.Environment{prefix + "_DEVICE": dir}, 1, "it is not a descriptor"},
			{"no number", ganeti.Environment{prefix + "_DEVICE": dir, "EXP_SIZE_FD": "x"}, 2, "EXP_SIZE_FD"},
		} {
			env := ganeti.Environment{"OS_API_VERSION": "20", "INSTANCE_NAME": "web1"}
			for name, value := range tc.env {
				env[name] = value
			}
			code, out, errs := called(t, env, filepath.Join(dir, script))
			lines := strings.Split(strings.TrimSuffix(errs, "\n"), "\n")
			if last := lines[len(lines)-1]; code != tc.code || out != "" || !strings.HasPrefix(last, "snf-image: error: ") || !strings.Contains(last, tc.want) {
				t.Errorf("%s, %s = %d, %q, %q, want %q", script, tc.name, code, out, errs, tc.want)
			}
		}
	}
}

// inherited returns a descriptor for f as a parent hands it over.
func inherited(t *testing.T, f *os.File) int {
	t.Helper()
	fd, err := unix.Dup(int(f.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	return fd
}

func TestTellSize(t *testing.T) {
	t.Parallel()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	err = tellSize(inherited(t, w), 10<<30)
	_ = w.Close()
	// Only a closed descriptor lets this end.
	if got, readErr := io.ReadAll(r); err != nil || readErr != nil || string(got) != "10737418240\n" {
		t.Errorf("tellSize = %v, the reader gets %q, %v", err, got, readErr)
	}
	if err := tellSize(-1, 1); err != nil {
		t.Errorf("tellSize without a descriptor = %v", err)
	}
}

func TestTellSizeRefuses(t *testing.T) {
	t.Parallel()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	for name, fd := range map[string]int{"standard output": 1, "never opened": 999_999, "our own": int(w.Fd())} {
		if err := tellSize(fd, 1); err == nil || !strings.Contains(err.Error(), "no such descriptor was handed over") {
			t.Errorf("%s: tellSize(%d) = %v", name, fd, err)
		}
	}
	_ = r.Close()
	if err := tellSize(inherited(t, w), 1); err == nil || !strings.Contains(err.Error(), "broken pipe") {
		t.Errorf("tellSize to nobody = %v", err)
	}
	if _, err := unix.FcntlInt(w.Fd(), unix.F_GETFD, 0); err != nil {
		t.Errorf("our own descriptor was closed: %v", err)
	}
}
