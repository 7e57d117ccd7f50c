package nbd

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"snf-image/internal/host/confine"
)

func TestIdentity(t *testing.T) {
	t.Parallel()
	as := &syscall.Credential{Uid: 1_899_999_999, Gid: 1_899_999_999}
	for uri, drops := range map[string]bool{
		"nbd://storage/disk": true, "nbd:storage:10809": true, "nbd+tcp://storage/disk": true, "sheepdog://storage/disk": true,
		"nbd:unix:/run/socket": false, "nbd+unix:///disk?socket=/run/socket": false, "rbd:pool/disk": false,
		"ssh://storage/disk": false, "nfs://storage/disk": false, "iscsi://storage/target/0": false, "gluster://storage/volume/disk": false,
		"iser://storage/target/0": false, "gluster+rdma://storage/volume/disk": false,
	} {
		c := confinement(uri, "/usr/bin/qemu-nbd", as)
		if got := c.User == as; got != drops {
			t.Errorf("%s: another identity: %v, want %v", uri, got, drops)
		}
		if few := c.Stage.Capabilities != nil; few != (!drops && os.Geteuid() == 0) {
			t.Errorf("%s: few capabilities: %v", uri, few)
		}
		rdma := strings.Contains(uri, "iser") || strings.Contains(uri, "rdma")
		if c.Stage.ReadOnly == rdma || slices.Contains(c.Stage.Capabilities, unix.CAP_IPC_LOCK) != (rdma && os.Geteuid() == 0) {
			t.Errorf("%s: writes nothing by path: %v, capabilities %v", uri, c.Stage.ReadOnly, c.Stage.Capabilities)
		}
	}
}

// TestServerIsConfined asks the kernel about the qemu-nbd that serves.
func TestServerIsConfined(t *testing.T) {
	t.Parallel()
	path := disk(t)
	uri := remote(t, path)
	s := serve(t, uri, false)
	dial(t, s)
	out, err := exec.Command("pgrep", "-P", strconv.Itoa(os.Getpid()), "-f", regexp.QuoteMeta(uri)).Output()
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, pid := range strings.Fields(string(out)) {
		status, err := os.ReadFile("/proc/" + pid + "/status")
		if err != nil {
			continue // of another test, and gone
		}
		found++
		want := []string{`(?m)^NoNewPrivs:\t1$`}
		if os.Geteuid() == 0 {
			want = append(want, `(?m)^CapEff:\t0000000000000406$`, `(?m)^CapBnd:\t0000000000000406$`, `(?m)^NSpid:\t\d+\t1$`)
		}
		for _, pattern := range want {
			if !regexp.MustCompile(pattern).Match(status) {
				t.Errorf("qemu-nbd has no %s:\n%s", pattern, status)
			}
		}
	}
	if found == 0 {
		t.Error("no qemu-nbd of ours runs")
	}
}

// TestExamine: the program finds its libraries in the root it gets, and a node that refuses
// nothing gives it all layers.
func TestExamine(t *testing.T) {
	t.Parallel()
	layers, missing, err := Examine(t.Context(), nil)
	if err != nil || len(layers) == 0 {
		t.Errorf("Examine() = %q, %q, %v", layers, missing, err)
	}
	if len(missing) == 0 && !slices.Contains(layers, "root of its own") {
		t.Errorf("Examine() = %q, and nothing is missing", layers)
	}
}

// TestScript: a program that is a script is confined less, which is told.
func TestScript(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), Tool)
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	for name, of := range map[string]func(path string) confine.Child{
		"with keys": func(path string) confine.Child { return confinement("rbd:pool/disk", path, nil) },
		"without":   func(path string) confine.Child { return confinement("nbd://storage/disk", path, nil) },
		"of a file": func(path string) confine.Child { return fileConfinement(path, 4) },
	} {
		if c := of(path); c.Stage.Filter || !slices.Equal(withoutLayers(c, []string{"landlock"}), []string{script, "landlock"}) {
			t.Errorf("a script %s: a filter %v, missing %q", name, c.Stage.Filter, withoutLayers(c, nil))
		}
		if c := of("/bin/sh"); !c.Stage.Filter || len(withoutLayers(c, nil)) > 0 {
			t.Errorf("a program %s: a filter %v, missing %q", name, c.Stage.Filter, withoutLayers(c, nil))
		}
	}
}
