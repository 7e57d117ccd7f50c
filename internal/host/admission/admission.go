// Package admission lets helpers start one after the other on a node that has not
// the memory for all of them at once.
//
// Each run that is admitted holds a place: a locked file with the amount of memory the
// helper will take. What a helper was promised and does not use yet counts as used,
// so that two that start at the same moment do not count the same memory. A holder
// that is killed loses its lock, and with it its place.
package admission

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"snf-image/internal/host/ownership"
	"snf-image/internal/report"
)

// Node is the node as admission sees it.
type Node struct {
	Proc   string // "/proc"
	Cgroup string // "/sys/fs/cgroup", where limits count that are cgroup v2's
	// Dir is where the places are, made when it is missing; empty for a user who
	// shares none with others.
	Dir string
}

// Limits are what a helper needs.
type Limits struct {
	MiB  int // memory, QEMU included
	Most int // helpers at once on this node; 0 means no limit
	// Patience is how long to wait for a place.
	Patience time.Duration
}

// Place is the permission to run a helper.
type Place struct{ file *os.File }

// poll is the time between two looks at the node.
const poll = 500 * time.Millisecond

// Enter waits for a place. wait is called once, with the reason, when there is none
// at first. A node that will never have the memory, and one that did not have it for
// too long, are a *report.Failure of kind Node.
func (n Node) Enter(ctx context.Context, l Limits, wait func(reason string)) (*Place, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, l.Patience, errPatience)
	defer cancel()
	for first := true; ; first = false {
		place, reason, err := n.try(ctx, l)
		if place != nil || err != nil {
			return place, err
		}
		if first {
			wait(reason)
		}
		select {
		case <-time.After(poll):
		case <-ctx.Done():
			if err := context.Cause(ctx); !errors.Is(err, errPatience) {
				return nil, err
			}
			return nil, unfit(fmt.Errorf("%s, for %s", reason, l.Patience), "wait for other deployments, free memory, or look at HELPER_MEMORY and MAX_HELPERS")
		}
	}
}

// errPatience is the cause of a wait that took too long.
var errPatience = errors.New("waited too long")

func unfit(cause error, remedy string) error {
	return &report.Failure{Kind: report.Node, What: "waiting for other deployments", On: "this node", Cause: cause, Remedy: remedy}
}

// Leave gives the place up. On nil it does nothing.
func (p *Place) Leave() {
	if p == nil || p.file == nil {
		return
	}
	_ = os.Remove(p.file.Name())
	_ = p.file.Close()
}

// Fits refuses what no waiting would help. It takes no place.
func (n Node) Fits(l Limits) error {
	memory, err := n.Memory()
	if err != nil {
		return err
	}
	return memory.fits(l)
}

func (m Memory) fits(l Limits) error {
	if m.Total >= l.MiB {
		return nil
	}
	return unfit(fmt.Errorf("a deployment takes %d MiB, and there are %d in all", l.MiB, m.Total),
		"lower HELPER_MEMORY (256 is enough for small disks)")
}

// try takes a place, or returns why that is not possible now.
func (n Node) try(ctx context.Context, l Limits) (*Place, string, error) {
	memory, err := n.Memory()
	if err == nil {
		err = memory.fits(l)
	}
	if err != nil {
		return nil, "", err
	}
	if n.Dir == "" {
		if reason := lacking(l, memory.Available, nil); reason != "" {
			return nil, reason, nil
		}
		return &Place{}, "", nil
	}
	unlock, err := n.lock(ctx)
	if err != nil {
		return nil, "", fmt.Errorf("locking %s: %w", n.Dir, err)
	}
	defer unlock()
	others, err := n.holders()
	if err != nil {
		return nil, "", fmt.Errorf("looking at the helpers that run: %w", err)
	}
	if reason := lacking(l, memory.Available, others); reason != "" {
		return nil, reason, nil
	}
	place, err := n.take(l.MiB)
	return place, "", err
}

// lacking compares what is available with what is promised, and returns what is lacking.
func lacking(l Limits, available int, others []holder) (reason string) {
	for _, o := range others {
		available -= max(0, o.promised-o.used)
	}
	switch {
	case l.Most > 0 && len(others) >= l.Most:
		return fmt.Sprintf("%d helpers run, and MAX_HELPERS allows %d", len(others), l.Most)
	case available < l.MiB:
		return fmt.Sprintf("a helper takes %d MiB, and %d MiB of memory are free; helpers that run now: %d", l.MiB, max(0, available), len(others))
	}
	return ""
}

// lock makes the directory and keeps others from deciding at the same time. It
// returns when ctx ends, too: somebody may have been stopped while deciding.
func (n Node) lock(ctx context.Context) (unlock func(), err error) {
	if err := ownership.MakeDir(n.Dir, 0o700); err != nil {
		return nil, err // others could keep every deployment waiting, or let all in
	}
	f, err := os.OpenFile(filepath.Join(n.Dir, "lock"), os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, err
	}
	for {
		err := flock(f, unix.LOCK_EX|unix.LOCK_NB)
		if err == nil {
			return func() { _ = f.Close() }, nil
		}
		if !errors.Is(err, unix.EWOULDBLOCK) {
			return nil, errors.Join(err, f.Close())
		}
		select {
		case <-time.After(time.Millisecond):
		case <-ctx.Done():
			return nil, errors.Join(context.Cause(ctx), f.Close())
		}
	}
}

// flock locks f. These locks are never held for long.
func flock(f *os.File, how int) error {
	for {
		if err := unix.Flock(int(f.Fd()), how); !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

// take makes a file for a helper of ours. Its lock ends with the process.
func (n Node) take(mib int) (*Place, error) {
	f, err := os.CreateTemp(n.Dir, prefix+strconv.Itoa(os.Getpid())+"-")
	if err != nil {
		return nil, fmt.Errorf("taking a place: %w", err)
	}
	_, err = fmt.Fprintf(f, "%d %d\n", os.Getpid(), mib)
	if err = errors.Join(err, flock(f, unix.LOCK_EX|unix.LOCK_NB)); err != nil {
		return nil, errors.Join(fmt.Errorf("taking a place: %w", err), os.Remove(f.Name()), f.Close())
	}
	return &Place{f}, nil
}

// prefix begins the names of places.
const prefix = "helper-"

// holder is somebody who was admitted.
type holder struct{ pid, promised, used int } // MiB

// holders lists who holds a place, and removes what the dead left.
func (n Node) holders() ([]holder, error) {
	paths, err := filepath.Glob(filepath.Join(n.Dir, prefix+"*"))
	if err != nil {
		return nil, err
	}
	var all []holder
	for _, path := range paths {
		f, err := os.Open(path)
		if errors.Is(err, os.ErrNotExist) {
			continue // gone meanwhile
		}
		if err != nil {
			return nil, err
		}
		if flock(f, unix.LOCK_SH|unix.LOCK_NB) == nil {
			_ = os.Remove(path)
		} else {
			all = append(all, n.holder(f))
		}
		_ = f.Close()
	}
	return all, nil
}

// holder reads a place, and how much memory the holder's children have by now.
func (n Node) holder(f *os.File) (h holder) {
	if _, err := fmt.Fscan(f, &h.pid, &h.promised); err != nil {
		return h
	}
	// Each thread has children of its own. A kernel that does not list them makes
	// us wait for memory that is in use already, which is only slower.
	threads, _ := filepath.Glob(filepath.Join(n.Proc, strconv.Itoa(h.pid), "task/[0-9]*/children"))
	var children []byte
	for _, path := range threads {
		b, _ := os.ReadFile(path)
		children = append(children, b...)
	}
	for _, pid := range strings.Fields(string(children)) {
		h.used += n.resident(pid)
	}
	return h
}

// resident returns the resident memory of a process in MiB (proc_pid_statm(5)).
func (n Node) resident(pid string) int {
	b, _ := os.ReadFile(filepath.Join(n.Proc, pid, "statm"))
	var size, resident int
	_, _ = fmt.Sscan(string(b), &size, &resident)
	return resident * os.Getpagesize() >> 20
}
