package packages

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"snf-image/tests/harness"
	"snf-image/tests/images"
	"snf-image/tests/oracle"
)

const (
	helperDir = "/var/lib/snf-image/helper"
	conf      = "/etc/default/snf-image"
)

// release are the packages under test.
type release struct{ host, newerHost, helper string }

// build makes the packages, the host's also with a higher Debian revision.
func build(t *testing.T) release {
	t.Helper()
	if os.Getenv("SNF_PACKAGE") != "1" {
		t.Skip("makes packages and installs a Debian: set SNF_PACKAGE=1")
	}
	if os.Getuid() != 0 {
		t.Fatal("needs root")
	}
	top, err := harness.Top()
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(top, "VERSION"))
	if err != nil {
		t.Fatal(err)
	}
	version := strings.TrimSpace(string(text))
	host(t, top, "make", "package")
	host(t, top, "env", "VERSION="+version, "RELEASE=2", "scripts/package.sh", "host")
	file := func(name, revision string) string {
		return filepath.Join(top, "dist", fmt.Sprintf("%s_%s-%s_amd64.deb", name, version, revision))
	}
	t.Cleanup(func() {
		newer := file("snf-image-host", "2")
		os.Remove(newer)
		os.Remove(strings.TrimSuffix(newer, "deb") + "rpm")
	})
	return release{file("snf-image-host", "1"), file("snf-image-host", "2"), file("snf-image-helper", "1")}
}

// TestLifeOfANode makes a node of each release of Debian, with its QEMU. On the older
// one, the earlier implementation was installed before.
func TestLifeOfANode(t *testing.T) {
	r := build(t)
	t.Run("lintian", func(t *testing.T) {
		t.Parallel()
		if out, err := try("", "lintian", "--fail-on", "error,warning", r.host, r.helper); err != nil {
			t.Errorf("lintian: %v\n%s", err, out)
		}
	})
	t.Run("bookworm", func(t *testing.T) {
		t.Parallel()
		n := newNode(t, "bookworm")
		n.installEarlier()
		n.install(r.host)
		n.checkTakenOver()
		n.use(r, "QEMU emulator version 7.2.")
	})
	t.Run("trixie", func(t *testing.T) {
		t.Parallel()
		n := newNode(t, "trixie")
		n.install(r.host)
		n.write(conf, n.read(conf)+"# edited\n")
		n.use(r, "QEMU emulator version 10.0.")
	})
}

// use makes the helper image, deploys with that QEMU, upgrades and purges.
func (n node) use(r release, qemu string) {
	n.Helper()
	if version := n.run("qemu-system-x86_64", "--version"); !strings.HasPrefix(version, qemu) {
		n.Errorf("the node's QEMU is %s, want %s", version, qemu)
	}
	n.updateHelper(r.helper)
	n.deploy()
	n.catalogue()
	n.upgrade(r.newerHost)
	n.purge()
}

// installEarlier installs packages named and versioned like those of the earlier
// implementation, with configuration that an administrator has edited.
func (n node) installEarlier() {
	n.Helper()
	dir := n.TempDir()
	for name, files := range map[string]map[string]string{
		"snf-image-host": {conf: "IMAGE_DIR=\"/srv/images\"\n", "/etc/default/snf-image-update-helper": "URL=x\n"},
		"snf-image":      {"/usr/share/ganeti/os/snf-image/create": "#!/bin/false\n"},
	} {
		n.installFake(filepath.Join(dir, name), name, files)
	}
	n.write(conf, "IMAGE_DIR=\"/srv/images\"\nPITHOS_DB=\"sqlite\" # edited\n")
	for _, old := range []string{"image", "kernel", "initrd", "packages", "version", "vmlinuz-3.2", "initrd.img-3.2"} {
		n.write(helperDir+"/"+old, "old")
	}
}

// installFake installs a package of the earlier implementation.
func (n node) installFake(tree, name string, files map[string]string) {
	n.Helper()
	conffiles := ""
	for path := range files {
		if strings.HasPrefix(path, "/etc/") {
			conffiles += path + "\n"
		}
	}
	fake := node{n.T, tree}
	fake.write("/DEBIAN/control", "Package: "+name+"\nVersion: 0.20.2-1\nArchitecture: all\nMaintainer: a <a@b.c>\nDescription: x\n")
	fake.write("/DEBIAN/conffiles", conffiles)
	for path, text := range files {
		fake.write(path, text)
	}
	host(n.T, "", "dpkg-deb", "--root-owner-group", "--build", tree, tree+".deb")
	n.install(tree + ".deb")
}

// checkTakenOver looks at what became of the earlier implementation.
func (n node) checkTakenOver() {
	n.Helper()
	if out, err := n.try("dpkg-query", "-W", "-f", "${db:Status-Abbrev}", "snf-image"); err == nil && strings.HasPrefix(out, "ii") {
		n.Error("the package snf-image is still installed")
	}
	if text := n.read(conf); !strings.Contains(text, "# edited") {
		n.Errorf("%s was replaced:\n%s", conf, text)
	}
	if n.has("/etc/default/snf-image-update-helper") {
		n.Error("the configuration of the download is still there")
	}
	if to, err := os.Readlink(n.path("/usr/share/ganeti/os/snf-image/create")); err != nil || filepath.Base(to) != "snf-image" {
		n.Errorf("create of the OS definition links to %q, %v", to, err)
	}
	n.run("test", "-x", "/usr/share/ganeti/os/snf-image/create")
	n.run("test", "-s", "/usr/share/ganeti/os/snf-image/variants.list")
}

// updateHelper makes the helper image, offline, and asks the doctor.
func (n node) updateHelper(pkg string) {
	n.Helper()
	offline := []string{"unshare", "--net"}
	out, err := n.try("snf-image", "doctor")
	if err == nil || !strings.Contains(out, "helper build") {
		n.Errorf("doctor without a helper image: %v\n%s", err, out)
	}
	n.copyIn(pkg, helperDir+"/snf-image-helper.deb")
	if out, err = n.try("snf-image", "doctor"); err == nil || !strings.Contains(out, `run "snf-image-update-helper"`) {
		n.Errorf("doctor with the package, without the helper image: %v\n%s", err, out)
	}
	start := time.Now()
	n.Log(n.run(append(offline, "snf-image-update-helper")...))
	if took := time.Since(start); took > 10*time.Second {
		n.Errorf("snf-image-update-helper took %v, want less than 10 s", took)
	} else {
		n.Logf("snf-image-update-helper took %v", took)
	}
	if out = n.run(append(offline, "snf-image", "doctor")...); strings.Contains(out, "unfit") {
		n.Errorf("doctor:\n%s", out)
	}
	n.Log(out)
}

// deploy deploys a small image offline.
func (n node) deploy() {
	n.Helper()
	if err := os.MkdirAll(n.path("/srv/images"), 0o755); err != nil {
		n.Fatal(err)
	}
	images.GPT("ext4", images.Debian()).Write(n.T, n.path("/srv/images/small.raw"))
	n.run("unshare", "--net", "snf-image", "deploy", "--image", "/srv/images/small.raw", "--disk", "/srv/web1.raw",
		"--size", "256M", "--name", "web1.example.org")
	oracle.Sound(n.T, n.path("/srv/web1.raw"))
	if got := oracle.ReadFile(n.T, n.path("/srv/web1.raw"), 3, "/etc/hostname"); got != "web1.example.org\n" {
		n.Errorf("/etc/hostname on the disk = %q", got)
	}
}

// catalogue looks at the images and keys that came with the package. None is offered by
// Ganeti, and the administrator may mask one.
func (n node) catalogue() {
	n.Helper()
	list := n.run("snf-image", "image", "list")
	if strings.Contains(list, "broken") || strings.Count(list, "\n") < 20 || !strings.Contains(list, "ubuntu-24.04") {
		n.Errorf("image list:\n%s", list)
	}
	if show := n.run("snf-image", "image", "show", "rocky-10"); !strings.Contains(show, "proof") || strings.Contains(show, "unverified") {
		n.Errorf("image show rocky-10, whose key is shipped:\n%s", show)
	}
	if keys := n.run("snf-image", "key", "list"); !strings.Contains(keys, "FC226859C0860BF0DDB95B085B106C736FEDFC85") {
		n.Errorf("key list:\n%s", keys)
	}
	if published := n.read("/etc/ganeti/snf-image/variants.list"); published != "default\n" || !n.has("/etc/ganeti/snf-image/variants/rocky-10.conf") {
		n.Errorf("variants.list is %q", published)
	}
	n.write("/etc/snf-image/catalogue.d/rocky-9.conf", "")
	if out, err := n.try("snf-image", "image", "show", "rocky-9"); err == nil {
		n.Errorf("an entry that is masked:\n%s", out)
	}
	n.run("rm", "/etc/snf-image/catalogue.d/rocky-9.conf")
}

// upgrade installs a higher version: configuration and helper image stay.
func (n node) upgrade(host string) {
	n.Helper()
	manifest := helperDir + "/manifest.json"
	n.run("rm", manifest) // as if it were of another release; the package lies beside it
	n.install(host)
	if !n.has(manifest) {
		n.Error("the upgrade did not make the helper image of the package that lies there")
	}
	before := n.run("stat", "-c", "%Y %i", manifest)
	if out := n.run("snf-image-update-helper"); !strings.Contains(out, "the helper image is current") || n.run("stat", "-c", "%Y %i", manifest) != before {
		n.Errorf("snf-image-update-helper made again what was there:\n%s", out)
	}
	if version := n.run("dpkg-query", "-W", "-f", "${Version}", "snf-image-host"); !strings.HasSuffix(version, "-2") {
		n.Errorf("version after the upgrade = %s", version)
	}
	if text := n.read(conf); !strings.Contains(text, "# edited") {
		n.Errorf("%s was replaced:\n%s", conf, text)
	}
	n.run("snf-image", "helper", "info")
}

// purge removes the package: nothing is left but what the administrator made.
func (n node) purge() {
	n.Helper()
	mine := "/var/lib/snf-image/mine.diskdump"
	n.write(mine, "image")
	n.run("apt-get", "remove", "-y", "snf-image-host")
	if !n.has(conf) || !n.has(helperDir+"/manifest.json") {
		n.Error("removing without purging took configuration or helper image")
	}
	n.run("apt-get", "purge", "-y", "snf-image-host", "snf-image")
	if diff := cmp.Diff([]string{"/var/lib/snf-image", mine}, n.ours()); diff != "" {
		n.Errorf("after the purge (-want +got):\n%s", diff)
	}
}
