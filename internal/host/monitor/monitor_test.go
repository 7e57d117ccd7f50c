package monitor

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"snf-image/internal/host/confine"
	"snf-image/internal/report"
)

// TestMain lets this program be the monitor: it then reads 512 bytes at a time and
// takes JSON objects from what it has, as monitors in the field do.
func TestMain(m *testing.M) {
	if len(os.Args) == 4 && os.Args[1] == "be-the-monitor" {
		os.Exit(read(os.Args[2], os.Args[3]))
	}
	if os.Args[0] == confine.Name {
		fmt.Fprintln(os.Stderr, confine.Launch(os.Args))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// read copies the messages to a file, each behind the name of the instance.
func read(file, instance string) int {
	out, err := os.Create(file)
	if err != nil {
		return 1
	}
	var have []byte
	for buf := make([]byte, 512); ; {
		n, err := os.Stdin.Read(buf)
		have = append(have, buf[:n]...)
		for d := json.NewDecoder(bytes.NewReader(have)); ; {
			var m map[string]any
			if d.Decode(&m) != nil {
				break
			}
			have = have[d.InputOffset():]
			d = json.NewDecoder(bytes.NewReader(have))
			fmt.Fprintln(out, instance, m["type"], m["timestamp"] != nil, m["messages"])
		}
		if errors.Is(err, io.EOF) {
			fmt.Fprintln(out, len(bytes.TrimSpace(have)), "bytes left")
			return 3 // which means nothing
		}
	}
}

// safe is a log for several goroutines.
type safe struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *safe) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *safe) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

func start(t *testing.T, argv ...string) (*Monitor, *safe) {
	t.Helper()
	log := new(safe)
	m, err := Start(argv, slog.New(slog.NewTextHandler(log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	m.grace = 200 * time.Millisecond
	return m, log
}

func TestMonitorReads(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "said")
	m, _ := start(t, os.Args[0], "be-the-monitor", file, "web1")
	m.grace = time.Minute
	long := strings.Repeat("x", 400)
	want := ""
	for i := range 30 {
		m.Send(report.Info(fmt.Sprint(long, i)))
		want += fmt.Sprintf("web1 image-info true [%s%d]\n", long, i)
	}
	m.Close()
	m.Send(report.Info("after the end"))
	m.Close()
	got, err := os.ReadFile(file)
	if want += "0 bytes left\n"; err != nil || string(got) != want {
		t.Errorf("the monitor got %q, %v, want %q", got, err, want)
	}
}

// TestMisbehaving has monitors that die, block, print without end, and stay. None
// of them holds up who sends, or outlives the end.
func TestMisbehaving(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, script string
		before, want string // in the log before and after the end
	}{
		{"dies at once", "exit 7", "", ""},
		{"never reads", "trap '' TERM; exec sleep 1000", "some are lost", "is killed"},
		{"stays", "cat >/dev/null; sleep 1000", "", "is killed"},
		{"leaves children", "sleep 1000 & cat >/dev/null; wait", "", "is killed"},
		{"leaves children behind", "sleep 1000 >/dev/null 2>&1 & cat >/dev/null", "", ""},
		{"floods", "cat >/dev/null & while echo spam; do :; done", "is left out", ""},
		{"prints escapes", `printf 'a\033[2Jb\n' >&2; cat >/dev/null`, `a\\x1b[2Jb`, ""},
		{"prints one endless line", "cat >/dev/null & head -c 3000000 /dev/zero; echo", "", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			pids := filepath.Join(t.TempDir(), "pid")
			m, log := start(t, "/bin/sh", "-c", "echo $$ >"+pids+"; "+tc.script)
			begin := time.Now()
			for i := range 2000 {
				m.Send(report.Info(strings.Repeat("x", 300), strconv.Itoa(i)))
			}
			if took := time.Since(begin); took > 20*time.Second {
				t.Errorf("sending took %s", took)
			}
			var pid int
			within(t, "the program to begin", func() bool {
				b, _ := os.ReadFile(pids)
				_, err := fmt.Sscanf(string(b), "%d\n", &pid)
				return err == nil && strings.Contains(log.String(), tc.before)
			})
			m.Close()
			if !strings.Contains(log.String(), tc.want) || len(log.String()) > 40_000 {
				t.Errorf("the log has %d bytes, without %q: %.2000s", len(log.String()), tc.want, log.String())
			}
			if err := syscall.Kill(-pid, 0); !errors.Is(err, syscall.ESRCH) && !zombies(pid) {
				t.Errorf("its process group is still there: %v", err)
			}
		})
	}
}

// within waits for ok, which a busy machine may take a while for.
func within(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited a minute for %s", what)
		}
	}
}

// zombies reports whether all that is left of a process group has ended and waits
// for somebody to notice.
func zombies(group int) bool {
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, path := range stats {
		b, err := os.ReadFile(path)
		_, after, ok := strings.Cut(string(b), ") ")
		if f := strings.Fields(after); err == nil && ok && f[2] == strconv.Itoa(group) && f[0] != "Z" {
			return false
		}
	}
	return true
}

// TestNoInterpreter has a program that is there and cannot run.
func TestNoInterpreter(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "monitor")
	if err := os.WriteFile(path, []byte("#!/nonexistent/interpreter\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	m, log := start(t, path)
	m.Send(report.Info("lost"))
	m.Close()
	if !strings.Contains(log.String(), "did not run, its messages are lost") {
		t.Errorf("the log says %s", log)
	}
}

func TestNoProgram(t *testing.T) {
	t.Parallel()
	if _, err := Start([]string{"/nonexistent/monitor"}, slog.New(slog.DiscardHandler)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("Start = %v", err)
	}
}

// TestClean shows what the program has of us: no descriptor, no variable.
func TestClean(t *testing.T) {
	t.Parallel()
	secret, err := os.Create(filepath.Join(t.TempDir(), "secret"))
	if err != nil {
		t.Fatal(err)
	}
	defer secret.Close()                            //nolint:errcheck // a test
	inherited, err := syscall.Dup(int(secret.Fd())) // as Ganeti might leave it open
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Close(inherited) //nolint:errcheck // a test
	m, log := start(t, "/bin/sh", "-c", "ls -l /proc/self/fd; env; cat >/dev/null")
	m.grace = time.Minute
	m.Close()
	text := log.String()
	if strings.Contains(text, "secret") || strings.Contains(text, "HOME=") || !strings.Contains(text, "LC_ALL=C") {
		t.Errorf("the program sees %s", text)
	}
}
