// Package vm holds the blackbox tests: the shipped binaries, a real helper,
// disks in and disks out, looked at by independent tools. They run with
// SNF_VM=1 (make test-vm) and compile always.
package vm

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"snf-image/tests/harness"
)

// site is the installation every test uses; TestMain makes it.
var site *harness.Installation

// base holds everything the tests make.
var base string

// interrupted ends when make torture is to end; other tests end at once.
var interrupted = context.Background()

func TestMain(m *testing.M) {
	if os.Getenv("SNF_SEED") != "" {
		interrupted, _ = signal.NotifyContext(interrupted, os.Interrupt, syscall.SIGTERM)
	}
	os.Exit(run(m))
}

// run prepares the installation, runs the tests, and looks for what they left
// behind on the node.
func run(m *testing.M) int {
	if os.Getenv("SNF_VM") != "1" {
		return m.Run() // every test skips itself
	}
	var err error
	if base, err = os.MkdirTemp("/var/tmp", "snf-vm-"); err != nil {
		return complain(err)
	}
	if harness.Keep() {
		fmt.Println("the installation stays in", base)
	} else {
		defer os.RemoveAll(base)
	}
	// The image worker has a uid of its own and must reach nothing here by path.
	if err := os.Setenv("TMPDIR", base); err != nil {
		return complain(err)
	}
	if site, err = harness.Install(interrupted, filepath.Join(base, "site"), ""); err != nil {
		return complain(err)
	}
	if err := harness.Adopt(); err != nil {
		return complain(err)
	}
	places := []string{site.Temporary}
	if os.Getenv("CI") == "true" { // nothing else runs there
		places = append(places, harness.Places...)
		// Stays: deployments know of each other there. Who is killed leaves a file
		// in it that the next one removes.
		if err := os.MkdirAll("/run/snf-image", 0o700); err != nil {
			return complain(err)
		}
	}
	before := harness.Snapshot(base, places...)
	code := m.Run()
	if left := harness.Snapshot(base, places...).New(before); len(left) > 0 {
		fmt.Fprintf(os.Stderr, "--- FAIL: left behind on the node:\n%s\n", strings.Join(left, "\n"))
		return 1
	}
	return code
}

func complain(err error) int {
	fmt.Fprintln(os.Stderr, "preparing the tests:", err)
	return 1
}

// debian returns the path of the real Debian image, built on first use.
var debian = sync.OnceValues(func() (string, error) {
	cmd := exec.Command("../images/debian.sh", "--esp", "--include", "lvm2")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	return strings.TrimSpace(string(out)), err
})

// rogue returns an installation whose agent misbehaves, built on first use.
var rogue = sync.OnceValues(func() (*harness.Installation, error) {
	agent := filepath.Join(base, "rogue-agent")
	build := exec.Command("go", "build", "-trimpath", "-o", agent, "../rogue")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("building the rogue agent: %w\n%s", err, out)
	}
	return harness.Install(context.Background(), filepath.Join(base, "rogue"), agent)
})
