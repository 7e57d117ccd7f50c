package packages

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"snf-image/tests/harness"
)

// limit ends a command that hangs. Installing QEMU and its dependencies is the
// longest.
const limit = 10 * time.Minute

// node is a fresh Debian in a directory.
type node struct {
	*testing.T
	root string
}

// newNode makes the root of a node with nothing but apt in it.
func newNode(t *testing.T, suite string) node {
	t.Helper()
	n := node{t, filepath.Join(harness.Dir(t), "node")}
	host(t, "", "mmdebstrap", "--quiet", "--mode=root", "--variant=apt", "--skip=cleanup/apt/lists", suite, n.root)
	if resolv, err := os.ReadFile("/etc/resolv.conf"); err == nil {
		n.write("/etc/resolv.conf", string(resolv))
	}
	return n
}

// host runs a command on this machine in dir; it must succeed.
func host(t *testing.T, dir string, args ...string) string {
	t.Helper()
	out, err := try(dir, args...)
	if err != nil {
		t.Fatalf("%s: %v\n%s", harness.Quote(args), err, out)
	}
	return out
}

func try(dir string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	var out bytes.Buffer
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, &out, &out
	cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive", "LC_ALL=C", "PATH=/usr/sbin:/usr/bin:/sbin:/bin:"+os.Getenv("PATH"))
	cmd.WaitDelay = 5 * time.Second
	err := cmd.Run()
	return out.String(), err
}

// inside mounts what a running system has, in a mount namespace that ends with
// the command, and runs the command in the node.
const inside = `mount -t proc proc "$1/proc" && mount --rbind /dev "$1/dev" && exec chroot "$@"`

// try runs a command in the node.
func (n node) try(args ...string) (string, error) {
	return try("", append([]string{"unshare", "--mount", "sh", "-c", inside, "sh", n.root}, args...)...)
}

// run runs a command in the node; it must succeed.
func (n node) run(args ...string) string {
	n.Helper()
	out, err := n.try(args...)
	if err != nil {
		n.Fatalf("in the node: %s: %v\n%s", harness.Quote(args), err, out)
	}
	return out
}

// install installs package files with only their dependencies.
func (n node) install(files ...string) {
	n.Helper()
	args := []string{"apt-get", "install", "-qq", "-y", "--no-install-recommends", "-o", "Dpkg::Options::=--force-confold"}
	for _, file := range files {
		to := filepath.Join("/var/tmp", filepath.Base(file))
		n.copyIn(file, to)
		defer os.Remove(n.path(to))
		args = append(args, to)
	}
	n.Log(lastLines(n.run(args...), 12))
}

func (n node) path(name string) string { return filepath.Join(n.root, name) }

func (n node) copyIn(file, to string) {
	n.Helper()
	if err := os.MkdirAll(filepath.Dir(n.path(to)), 0o755); err != nil {
		n.Fatal(err)
	}
	host(n.T, "", "cp", "--sparse=always", file, n.path(to))
}

func (n node) write(name, text string) {
	n.Helper()
	if err := os.MkdirAll(filepath.Dir(n.path(name)), 0o755); err != nil {
		n.Fatal(err)
	}
	if err := os.WriteFile(n.path(name), []byte(text), 0o644); err != nil {
		n.Fatal(err)
	}
}

func (n node) read(name string) string {
	n.Helper()
	text, err := os.ReadFile(n.path(name))
	if err != nil {
		n.Fatal(err)
	}
	return string(text)
}

func (n node) has(name string) bool {
	_, err := os.Lstat(n.path(name))
	return err == nil
}

// ours lists what belongs to snf-image, whoever made it.
func (n node) ours() []string {
	n.Helper()
	var found []string
	err := filepath.WalkDir(n.root, func(path string, d fs.DirEntry, err error) error {
		name := strings.TrimPrefix(path, n.root)
		if err == nil && (strings.Contains(name, "snf-image") || strings.HasPrefix(name, "/etc/ganeti")) {
			found = append(found, name)
		}
		return err
	})
	if err != nil {
		n.Fatal(fmt.Errorf("looking through the node: %w", err))
	}
	return found
}

func lastLines(text string, count int) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(lines[max(0, len(lines)-count):], "\n")
}
