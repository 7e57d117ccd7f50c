// Package ganeti holds the tests in a real Ganeti cluster on this machine. They
// run with SNF_GANETI=1 (make test-ganeti) and compile always.
package ganeti

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"snf-image/tests/harness"
)

// state is where cluster.sh keeps the cluster.
const state = "/var/lib/gnt-test-cluster"

// cluster is a running cluster.
type cluster struct {
	*testing.T
	nodes int
}

// up starts the cluster, of SNF_NODES nodes, and takes it down after the test.
// It goes down too when the test is killed; then the next up removes what is
// left. While another test has a cluster up, it waits.
func up(t *testing.T) cluster {
	t.Helper()
	if os.Getenv("SNF_GANETI") != "1" {
		t.Skip("starts a Ganeti cluster: set SNF_GANETI=1, or use make test-ganeti")
	}
	c := cluster{t, 1}
	if text := os.Getenv("SNF_NODES"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 {
			t.Fatalf("SNF_NODES=%s: not a number of nodes", text)
		}
		c.nodes = n
	}
	args := []string{"up", "--nodes", strconv.Itoa(c.nodes)}
	if harness.Keep() {
		c.script(args...)
		return c
	}
	c.script(append(args, "--owner", strconv.Itoa(os.Getpid()))...)
	t.Cleanup(func() {
		if out, err := c.try("logs"); t.Failed() {
			t.Logf("Ganeti's logs (%v):\n%s", err, out)
		}
		c.script("down")
	})
	return c
}

// part runs a part of the test by itself.
func (c cluster) part(name string, run func(c cluster)) bool {
	return c.Run(name, func(t *testing.T) { run(cluster{t, c.nodes}) })
}

// script runs cluster.sh and returns its output; it must succeed.
func (c cluster) script(args ...string) string {
	c.Helper()
	out, err := c.try(args...)
	if err != nil {
		c.Fatalf("cluster.sh %s: %v\n%s", harness.Quote(args), err, out)
	}
	return out
}

// limits end commands that hang; up may have to wait for another cluster.
const (
	limit   = 10 * time.Minute
	upLimit = time.Hour
)

// try runs cluster.sh and returns its output.
func (c cluster) try(args ...string) (string, error) { return c.tell("", args...) }

// tell is try with text on standard input.
func (c cluster) tell(text string, args ...string) (string, error) {
	most := limit
	if args[0] == "up" {
		most = upLimit
	}
	ctx, cancel := context.WithTimeout(context.Background(), most)
	defer cancel()
	cmd := exec.CommandContext(ctx, "./cluster.sh", args...)
	cmd.Env = append(os.Environ(), "GNT_STATE="+state)
	cmd.Stdin = strings.NewReader(text)
	cmd.WaitDelay = 5 * time.Second
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// gnt runs a command on the master; it must succeed.
func (c cluster) gnt(args ...string) string {
	c.Helper()
	return c.script(append([]string{"run"}, args...)...)
}

// refused runs a command on the master; it must fail with all of want in its
// output.
func (c cluster) refused(args []string, want ...string) {
	c.Helper()
	out, err := c.try(append([]string{"run"}, args...)...)
	if err == nil {
		c.Errorf("%s succeeded, want a failure\n%s", harness.Quote(args), out)
	}
	for _, w := range want {
		if !strings.Contains(out, w) {
			c.Errorf("%s says nothing of %q:\n%s", harness.Quote(args), w, out)
		}
	}
}

// name returns the name of node k.
func name(k int) string { return fmt.Sprintf("node%d.gnt.test", k) }

// path returns the path on this machine of a private file of node k.
func path(k int, file string) string { return filepath.Join(state, fmt.Sprintf("node%d", k), file) }

// install puts the OS definition of d and its configuration into the nodes.
func (c cluster) install(d *harness.Definition, root string) {
	c.Helper()
	if err := os.Symlink(d.Dir, filepath.Join(state, "os/snf-image")); err != nil {
		c.Fatal(err)
	}
	for k := 1; k <= c.nodes; k++ {
		for _, dir := range []string{"default", "ganeti"} {
			if out, err := exec.Command("cp", "-a", filepath.Join(root, "etc", dir), path(k, "etc")).CombinedOutput(); err != nil {
				c.Fatalf("installing the configuration: %v\n%s", err, out)
			}
		}
	}
}

// diskOf returns the disk file of an instance on node k.
func (c cluster) diskOf(k int, instance string) string {
	c.Helper()
	return c.one(path(k, "srv/ganeti/file-storage/"+instance+"/*.disk0"))
}

// one returns the only file a pattern matches.
func (c cluster) one(pattern string) string {
	c.Helper()
	files, err := filepath.Glob(pattern)
	if err != nil || len(files) != 1 {
		c.Fatalf("%s: %v, %v, want one file", pattern, files, err)
	}
	return files[0]
}

// logOf returns the only log of an action on an instance on node k.
func (c cluster) logOf(k int, action, instance string) string {
	c.Helper()
	file := c.one(path(k, "var/log/ganeti/os/"+action+"-snf-image+default-*"+instance+"*.log"))
	text, err := os.ReadFile(file)
	if err != nil {
		c.Fatal(err)
	}
	return string(text)
}

// has reports whether the cluster has an instance.
func (c cluster) has(instance string) bool {
	c.Helper()
	return strings.Contains(c.gnt("gnt-instance", "list", "--no-headers", "-o", "name"), instance)
}

// remove removes instances and their disks.
func (c cluster) remove(instances ...string) {
	c.Helper()
	for _, instance := range instances {
		c.gnt("gnt-instance", "remove", "-f", "--shutdown-timeout=0", instance)
	}
}

// diskSize is that of every first disk; the image has 2 GiB.
const diskSize = "2304M"

// onFile are the disks of an instance on a plain file.
var onFile = []string{"-t", "file", "--disk", "0:size=" + diskSize}

// add returns the arguments that create an instance with a network card on node
// k without starting it.
func add(k int, disks []string, instance, parameters string, more ...string) []string {
	args := append([]string{"gnt-instance", "add"}, disks...)
	args = append(args, "-o", "snf-image+default", "-O", parameters, "--no-ip-check", "--no-start", "-n", name(k))
	if !slices.Contains(more, "--no-nics") {
		args = append(args, "--net", "0:ip=198.51.100.101")
	}
	return append(append(args, more...), instance)
}

// debian returns the path of the real Debian image.
func debian() (string, error) {
	cmd := exec.Command("../images/debian.sh", "--esp", "--include", "lvm2")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("building the Debian image: %w", err)
	}
	return strings.TrimSpace(string(out)), nil
}
