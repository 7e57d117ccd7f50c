package admission

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"snf-image/internal/host/ownership"
	"snf-image/internal/report"
)

// TestMain lets this program be another run on the node: it takes a place, says
// so, and keeps it until its input ends or it is killed.
func TestMain(m *testing.M) {
	if len(os.Args) == 3 && os.Args[1] == "be-a-run" {
		place, err := Node{Proc: "/proc", Cgroup: "/sys/fs/cgroup", Dir: os.Args[2]}.Enter(
			context.Background(), Limits{MiB: 1, Patience: time.Minute}, func(string) {})
		fmt.Println(err)
		_, _ = io.Copy(io.Discard, os.Stdin)
		place.Leave()
		return
	}
	os.Exit(m.Run())
}

// node is a node with that much memory, in MiB.
func node(t *testing.T, total, available int) Node {
	t.Helper()
	dir := t.TempDir()
	n := Node{Proc: filepath.Join(dir, "proc"), Cgroup: filepath.Join(dir, "cgroup"), Dir: filepath.Join(dir, "run/snf-image")}
	write(t, n.Proc+"/meminfo", fmt.Sprintf("MemTotal:  %d kB\nMemFree: 1 kB\nMemAvailable:  %d kB\n", total<<10, available<<10))
	return n
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(text), 0o600)); err != nil {
		t.Fatal(err)
	}
}

// enter takes a place that must be free.
func enter(t *testing.T, n Node, l Limits) *Place {
	t.Helper()
	place, err := n.Enter(t.Context(), l, func(reason string) { t.Errorf("it has to wait: %s", reason) })
	if err != nil {
		t.Fatal(err)
	}
	return place
}

// waits says why there is no place.
func waits(t *testing.T, n Node, l Limits) string {
	t.Helper()
	said := ""
	l.Patience = time.Millisecond
	place, err := n.Enter(t.Context(), l, func(reason string) { said = reason })
	if place != nil || report.KindOf(err) != report.Node || !strings.Contains(err.Error(), said) {
		t.Fatalf("Enter = %v, %v", place, err)
	}
	return said
}

// TestPromises counts what others were promised, but not twice what they use.
func TestPromises(t *testing.T) {
	t.Parallel()
	n, l := node(t, 4000, 1700), Limits{MiB: 768, Patience: time.Minute}
	first := enter(t, n, l)
	second := enter(t, n, l)
	if got := waits(t, n, l); got != "a helper takes 768 MiB, and 164 MiB of memory are free; helpers that run now: 2" {
		t.Errorf("the third waits because %s", got)
	}
	// Both of the first have 300 MiB each by now, which are no longer available.
	self := fmt.Sprint(os.Getpid())
	write(t, n.Proc+"/"+self+"/task/1/children", "71 ")
	write(t, n.Proc+"/"+self+"/task/2/children", "72 73")
	write(t, n.Proc+"/72/statm", fmt.Sprintf("999999 %d 0", 300<<20/os.Getpagesize()))
	if got := waits(t, n, l); !strings.Contains(got, "and 764 MiB of memory are free") {
		t.Errorf("the third waits because %s", got)
	}
	first.Leave()
	third := enter(t, n, l)
	second.Leave()
	third.Leave()
	if left, _ := filepath.Glob(n.Dir + "/helper-*"); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestMost(t *testing.T) {
	t.Parallel()
	n, l := node(t, 4000, 4000), Limits{MiB: 1, Most: 1, Patience: time.Minute}
	place := enter(t, n, l)
	if got := waits(t, n, l); got != "1 helpers run, and MAX_HELPERS allows 1" {
		t.Errorf("the second waits because %s", got)
	}
	entered := make(chan *Place)
	waiting := make(chan string, 1)
	go func() {
		p, err := n.Enter(t.Context(), l, func(reason string) { waiting <- reason })
		if err != nil {
			t.Error(err)
		}
		entered <- p
	}()
	<-waiting
	place.Leave()
	(<-entered).Leave()
}

// TestNever fails at once where waiting is of no use, and when it is told to.
func TestNever(t *testing.T) {
	t.Parallel()
	n := node(t, 500, 500)
	_, err := n.Enter(t.Context(), Limits{MiB: 768, Patience: time.Hour}, func(string) {})
	if report.KindOf(err) != report.Node || !strings.Contains(err.Error(), "there are 500 in all") {
		t.Errorf("a small node: %v", err)
	}
	if err := n.Fits(Limits{MiB: 768}); report.KindOf(err) != report.Node {
		t.Errorf("Fits on a small node = %v", err)
	}
	n = node(t, 4000, 100)
	if err := n.Fits(Limits{MiB: 768}); err != nil {
		t.Errorf("Fits on a busy node = %v", err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	stop := errors.New("stopped by signal")
	if _, err := n.Enter(ctx, Limits{MiB: 768, Patience: time.Hour}, func(string) { cancel(stop) }); !errors.Is(err, stop) {
		t.Errorf("a signal: %v", err)
	}
	n.Dir = ""
	if got := waits(t, n, Limits{MiB: 768}); !strings.Contains(got, "and 100 MiB of memory are free") {
		t.Errorf("without a directory it waits because %s", got)
	}
	if err := os.Remove(n.Proc + "/meminfo"); err != nil {
		t.Fatal(err)
	}
	if _, err := n.Enter(t.Context(), Limits{MiB: 1, Patience: time.Hour}, func(string) {}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("without /proc: %v", err)
	}
}

// TestGroups heeds the limits of the control groups around us.
func TestGroups(t *testing.T) {
	t.Parallel()
	n := node(t, 4000, 3000)
	write(t, n.Proc+"/self/cgroup", "3:cpu:/x\n0::/outer/inner\n")
	write(t, n.Cgroup+"/outer/inner/memory.max", "max\n")
	write(t, n.Cgroup+"/outer/memory.max", fmt.Sprintln(1000<<20))
	write(t, n.Cgroup+"/outer/memory.current", fmt.Sprintln(900<<20))
	write(t, n.Cgroup+"/outer/memory.stat", fmt.Sprintf("anon 1\nfile %d\nfile_mapped 7\n", 500<<20))
	if m, err := n.Memory(); err != nil || m != (Memory{1000, 600}) {
		t.Errorf("Memory = %+v, %v", m, err)
	}
	// In a container with a namespace of its own, and with files in memory.
	write(t, n.Proc+"/self/cgroup", "0::/\n")
	write(t, n.Cgroup+"/memory.max", fmt.Sprintln(800<<20))
	write(t, n.Cgroup+"/memory.current", fmt.Sprintln(700<<20))
	write(t, n.Cgroup+"/memory.stat", fmt.Sprintf("file %d\nshmem %d\n", 500<<20, 400<<20))
	if m, err := n.Memory(); err != nil || m != (Memory{800, 200}) {
		t.Errorf("Memory in a container = %+v, %v", m, err)
	}
}

// TestStoppedDecider ends with its context, whoever has the lock.
func TestStoppedDecider(t *testing.T) {
	t.Parallel()
	n := node(t, 4000, 4000)
	unlock, err := n.lock(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	ctx, cancel := context.WithCancelCause(t.Context())
	stop := errors.New("stopped by signal")
	cancel(stop)
	if _, err := n.Enter(ctx, Limits{MiB: 1, Patience: time.Hour}, func(string) {}); !errors.Is(err, stop) {
		t.Errorf("Enter = %v", err)
	}
}

// run is another process that holds a place.
func run(t *testing.T, dir string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(os.Args[0], "be-a-run", dir)
	in, inErr := cmd.StdinPipe()
	out, outErr := cmd.StdoutPipe()
	if err := errors.Join(inErr, outErr, cmd.Start()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = in.Close(); _ = cmd.Wait() })
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || line != "<nil>\n" {
		t.Fatalf("it says %q, %v", line, err)
	}
	return cmd
}

// TestKilled frees the places of those that were killed.
func TestKilled(t *testing.T) {
	t.Parallel()
	n, l := node(t, 4000, 4000), Limits{MiB: 1, Most: 3, Patience: time.Minute}
	var runs []*exec.Cmd
	for range 3 {
		runs = append(runs, run(t, n.Dir))
	}
	if got := waits(t, n, l); !strings.Contains(got, "3 helpers run") {
		t.Errorf("it waits because %s", got)
	}
	_ = runs[0].Process.Kill()
	_, _ = runs[0].Process.Wait()
	enter(t, n, l).Leave()
}

// TestContention never lets more in than there is room for.
func TestContention(t *testing.T) {
	t.Parallel()
	n, l := node(t, 4000, 2500), Limits{MiB: 1000, Patience: time.Minute}
	var mu sync.Mutex
	var inside, most, entered int
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			place, err := n.Enter(t.Context(), l, func(string) {})
			if err != nil {
				t.Error(err)
				return
			}
			mu.Lock()
			inside++
			entered++
			most = max(most, inside)
			mu.Unlock()
			unlock, err := n.lock(t.Context()) // who looks without it removes places not yet locked
			if err != nil {
				t.Error(err)
				return
			}
			others, err := n.holders()
			unlock()
			if err != nil || len(others) > 2 {
				t.Errorf("%d hold a place, %v", len(others), err)
			}
			mu.Lock()
			inside--
			mu.Unlock()
			place.Leave()
		})
	}
	wg.Wait()
	if most > 2 || entered != 8 {
		t.Errorf("%d were inside at once, %d in all", most, entered)
	}
}

// TestOthers takes no place where others than root could decide who gets one.
func TestOthers(t *testing.T) {
	t.Parallel()
	n := node(t, 4000, 4000)
	if err := errors.Join(os.MkdirAll(n.Dir, 0o700), os.Chmod(n.Dir, 0o777)); err != nil {
		t.Fatal(err)
	}
	place, err := n.Enter(t.Context(), Limits{MiB: 1, Patience: time.Minute}, func(string) {})
	place.Leave()
	if refused := errors.Is(err, ownership.ErrOthers); refused != (os.Geteuid() == 0) {
		t.Errorf("Enter = %v", err)
	}
}
