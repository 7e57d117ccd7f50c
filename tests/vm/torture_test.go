package vm

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"snf-image/tests/harness"
	"snf-image/tests/images"
	"snf-image/tests/oracle"
)

// setting returns a number from the environment. Without "make torture", which sets
// them, the tests here are short.
func setting(t *testing.T, name string, otherwise int) int {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 {
		t.Fatalf("%s=%s: not a number", name, text)
	}
	return n
}

// endure does one n times, or only SNF_ONLY of them, some at once. The seed and the
// number of a run determine its random numbers. A signal or the time limit end it after
// the runs that have begun, and are failures.
func endure(t *testing.T, part string, n int, one func(t *testing.T, i int, r *rand.Rand)) {
	t.Helper()
	seed, only := setting(t, "SNF_SEED", 1), setting(t, "SNF_ONLY", 0)
	limit := time.Duration(setting(t, "SNF_LIMIT", 3600)) * time.Second
	ctx, cancel := context.WithTimeout(interrupted, limit)
	defer cancel()
	end := context.AfterFunc(ctx, func() {
		for _, pid := range harness.Children(os.Getpid(), site.Program) {
			_ = syscall.Kill(pid, syscall.SIGTERM)
		}
	})
	defer end()
	var done, failed atomic.Int64
	t.Run("run", func(t *testing.T) {
		for i := 1; i <= n; i++ {
			if only != 0 && i != only {
				continue
			}
			t.Run(strconv.Itoa(i), func(t *testing.T) {
				t.Parallel()
				if ctx.Err() != nil {
					return
				}
				done.Add(1)
				defer func() {
					if t.Failed() {
						failed.Add(1)
						t.Logf("to repeat it: make torture PARTS=%s SEED=%d ONLY=%d", part, seed, i)
					}
				}()
				one(t, i, rand.New(rand.NewPCG(uint64(seed), uint64(i))))
			})
		}
	})
	fmt.Printf("torture: %s: %d of %d runs, %d failed\n", part, done.Load(), n, failed.Load())
	if err := ctx.Err(); err != nil {
		t.Errorf("ended before all was done: %v", err)
	}
	if done.Load() == 0 {
		t.Error("nothing was done")
	}
}

// What a kernel says that is not well, and what it says on a node that gave it no
// processor for long.
var (
	unwell = regexp.MustCompile(`Oops|Kernel panic|\] BUG: |kernel BUG at|general protection fault|WARNING: CPU`)
	late   = regexp.MustCompile(`soft lockup|rcu.*stall|blocked for more than`)
)

// TestTortureBoots boots the helper again and again, and lets it look at an image. A
// boot that got stuck and was tried again, or that the node kept waiting, is counted and
// not a failure.
func TestTortureBoots(t *testing.T) {
	harness.Gate(t, needed...)
	j := makeJob(t, images.GPT("ext4", images.Debian()))
	var again, oopsed, stalled atomic.Int64
	endure(t, "boots", setting(t, "SNF_BOOTS", 2), func(t *testing.T, _ int, _ *rand.Rand) {
		o := site.Run(t, "--debug", "inspect", j.image)
		if strings.Contains(o.Stderr, "starting the helper again with tcg: tcg") {
			again.Add(1)
			t.Log(o)
		}
		if late.MatchString(o.Stderr) {
			stalled.Add(1)
		}
		if words := unwell.FindString(o.Stderr); words != "" {
			oopsed.Add(1)
			t.Errorf("the kernel says %q\n%s", words, o)
		}
		o.OK(t)
	})
	fmt.Printf("torture: boots: %d oopsed, %d tried again, %d kept waiting by the node\n", oopsed.Load(), again.Load(), stalled.Load())
	harness.NothingLeft(t, j.image)
}

// TestTortureKills ends deployments at random moments.
func TestTortureKills(t *testing.T) {
	harness.Gate(t, needed...)
	usual := site.Run(t, killJob(t, 100).args("--size", "1200M")...).OK(t).Took
	endure(t, "kills", setting(t, "SNF_KILLS", 2), func(t *testing.T, _ int, r *rand.Rand) {
		kill(t, r, usual)
	})
}

// killJob is a job whose image has that many MiB of data besides the system.
func killJob(t *testing.T, mib int) *job {
	t.Helper()
	image := images.Primary("ext4", images.Debian())
	image.MiB = int64(100 + mib)
	j := makeJob(t, image)
	fill(t, j.image, 100*images.MiB, mib)
	return j
}

// victims are who is killed, and how.
var victims = []struct {
	find    func(*harness.Process) []int
	signals []syscall.Signal
}{
	{host, []syscall.Signal{syscall.SIGKILL, syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP}},
	{worker, []syscall.Signal{syscall.SIGKILL}},
	{qemu, []syscall.Signal{syscall.SIGKILL, syscall.SIGTERM}},
}

// kill deploys over a disk that boots, and kills somebody at a moment of the usual time
// and some more. The disk is then as before, blank, or complete, and the latter only
// when the program had no say any more or ends with success. A further deployment
// succeeds.
func kill(t *testing.T, r *rand.Rand, usual time.Duration) {
	t.Helper()
	j := killJob(t, r.IntN(500))
	truncateNew(t, j.disk, 1200*images.MiB)
	writeBootSector(t, j.disk)
	before := oracle.Digest(t, j.disk, 0, images.MiB)
	victim := victims[r.IntN(len(victims))]
	sig := victim.signals[r.IntN(len(victim.signals))]
	moment := time.Duration(r.Float64() * 1.1 * float64(usual))

	p := site.Start(t, j.args("--size", "1200M")...)
	harness.Within(moment, func() bool { return p.Ended() })
	found := victim.find(p)
	if len(found) == 0 { // not yet there, or done
		found = host(p)
	}
	for _, pid := range found {
		_ = syscall.Kill(pid, sig) // it may have ended just now
	}
	o := p.Wait()
	t.Logf("%v to %d processes after %v: exit code %d", sig, len(found), moment, o.Code)
	killed := o.Code == 128+int(syscall.SIGKILL)
	if o.Code != 0 && !killed {
		o.Fails(t, o.Code, ".")
	}
	blank := oracle.Zero(t, j.disk, 0, images.MiB)
	switch {
	case o.Code == 0:
		j.done()
	case blank:
		j.undone()
	case oracle.Digest(t, j.disk, 0, images.MiB) == before:
		harness.NothingLeft(t, j.disk, j.image)
	case killed:
		j.done()
	default:
		t.Errorf("the disk is neither as before nor blank\n%s", o)
	}
	site.Run(t, j.args("--size", "1200M")...).OK(t)
	j.done()
}

// layouts are what images of the matrices look like.
var layouts = []func(images.Tree) images.Image{
	func(tree images.Tree) images.Image { return images.Primary("ext4", tree) },
	func(tree images.Tree) images.Image { return images.GPT("ext4", tree) },
	images.Logical, images.Backwards, images.DataLast, images.GPTMiddle, images.GPTCloud,
}

// TestTortureHostile deploys every hostile image in every layout, half of them with one
// more evil that touches other files.
func TestTortureHostile(t *testing.T) {
	harness.Gate(t, needed...)
	names := slices.Sorted(maps.Keys(hostile))
	endure(t, "hostile", setting(t, "SNF_HOSTILE", len(names)*len(layouts)), func(t *testing.T, i int, r *rand.Rand) {
		name, layout := names[(i-1)%len(names)], layouts[(i-1)/len(names)%len(layouts)]
		entries := hostile[name]
		if more := names[r.IntN(len(names))]; r.IntN(2) == 0 && apart(entries, hostile[more]) {
			entries = slices.Concat(entries, hostile[more])
			name += " and " + more
		}
		t.Logf("%s, layout %d", name, (i-1)/len(names)%len(layouts))
		attack(t, makeJob(t, layout(evil(entries))))
	})
}

// apart reports whether no path of a lies below one of b, or the reverse.
func apart(a, b []images.Entry) bool {
	for _, x := range a {
		for _, y := range b {
			p, q := strings.Trim(x.Path, "/")+"/", strings.Trim(y.Path, "/")+"/"
			if strings.HasPrefix(p, q) || strings.HasPrefix(q, p) {
				return false
			}
		}
	}
	return true
}

// TestTortureFaults lets every fault happen in every layout. Their last lines are for
// the layout of TestFaults.
func TestTortureFaults(t *testing.T) {
	harness.Gate(t, needed...)
	names := slices.Sorted(maps.Keys(faults))
	endure(t, "faults", setting(t, "SNF_FAULTS", len(names)*len(layouts)), func(t *testing.T, i int, _ *rand.Rand) {
		name, layout := names[(i-1)%len(names)], (i-1)/len(names)%len(layouts)
		t.Logf("%s, layout %d", name, layout)
		faults[name].happen(t, makeJob(t, layouts[layout](images.Debian())), ".", name != "disk read-only")
	})
}
