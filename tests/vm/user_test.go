package vm

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"snf-image/tests/harness"
	"snf-image/tests/images"
	"snf-image/tests/oracle"
)

// TestOrdinaryUser deploys to a disk file of an ordinary user, who can make a user namespace:
// worker and QEMU have all layers there but a uid of their own.
func TestOrdinaryUser(t *testing.T) {
	j := newJob(t, images.Primary("ext4", images.Debian()))
	dir, err := os.MkdirTemp("/var/tmp", "snf-image-test-") // which everybody can reach
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	own := filepath.Join(dir, "own") // of the user's
	config := harness.File(t, dir, "conf", fmt.Sprintf("HELPER_DIR=%q\nSPOOL_DIR=%q\nACCELERATOR=tcg\n", dir+"/helper", own))
	for _, args := range [][]string{
		{"cp", site.Program, dir + "/snf-image"},
		{"cp", "-r", site.HelperDir, dir + "/helper"},
		{"cp", "--sparse=always", j.image, dir + "/image"},
		{"mkdir", own},
		{"chmod", "-R", "a+rX", dir},
		{"chown", "65534:65534", own},
	} {
		if out, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
			t.Fatalf("%q: %v %s", args, err, out)
		}
	}
	cmd := nobody(dir+"/snf-image", "--config", config, "deploy", "--image", dir+"/image", "--disk", own+"/disk", "--size", "256M",
		"--name", "web1.example.org", "--property", "USERS=root", "--password-file", "-", "--report", own+"/report")
	cmd.Dir, cmd.Stdin = own, bytes.NewReader([]byte("secret\n"))
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("deploying as an ordinary user: %v\n%s", err, out)
	}
	oracle.Sound(t, own+"/disk")
	r := readReport(t, own+"/report")
	for _, child := range []string{"worker: ", "helper: "} {
		for _, layer := range []string{
			"user namespace", "pid namespace", "mount namespace", "network namespace", "root of its own", "no capabilities", "seccomp filter", "rlimits",
		} {
			if !slices.Contains(r.Helper.Confinement, child+layer) {
				t.Errorf("%s%s is not among %q", child, layer, r.Helper.Confinement)
			}
		}
	}
}
