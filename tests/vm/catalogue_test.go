package vm

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"snf-image/tests/harness"
	"snf-image/tests/images"
	"snf-image/tests/mirror"
	"snf-image/tests/oracle"
	"snf-image/tests/require"
)

// newMirror publishes nothing yet; the image is small and in the vendors' format.
func newMirror(t *testing.T, j *job) (*mirror.Mirror, []byte) {
	t.Helper()
	top, err := harness.Top()
	if err != nil {
		t.Fatal(err)
	}
	require.Run(t, "", "qemu-img", "convert", "-c", "-O", "qcow2", j.image, j.image+".qcow2")
	b, err := os.ReadFile(j.image + ".qcow2")
	if err != nil {
		t.Fatal(err)
	}
	return mirror.New(t, filepath.Join(top, "share/catalogue.d")), b
}

// TestCatalogue deploys every shipped entry from a mirror with the shape of its vendor, one by
// its variant of Ganeti, and none whose image, checksums or signature has one bit flipped.
func TestCatalogue(t *testing.T) {
	j := newJob(t, images.GPT("ext4", images.Debian()))
	m, image := newMirror(t, j)
	in := site.With(t, m.Settings(), "IMAGE_DIR="+harness.Dir(t), "SPOOL_DIR="+j.dir)
	size := oracle.Size(t, j.image)
	want := oracle.Digest(t, j.image, 0, size)
	bare := func(name string) []string {
		blank(t, j.disk)
		return []string{"deploy", "--image", name, "--disk", j.disk, "--size", "256M", "--name", "web1", "--property", "EXCLUDE_ALL_TASKS=yes"}
	}
	check := func(name string) {
		t.Helper()
		if oracle.Digest(t, j.disk, 0, size) != want {
			t.Errorf("%s: the disk differs from the image", name)
		}
		harness.NothingLeft(t, j.disk, j.image)
	}
	for _, name := range m.Names() {
		m.Publish(name, image)
		if out := in.Run(t, bare(name)...).OK(t); !strings.Contains(out.Stderr, name+" is not pulled: it comes from "+m.URL) {
			t.Errorf("%s: it does not say where the image comes from\n%s", name, out.Stderr)
		}
		check(name)
	}
	for _, name := range []string{"ubuntu-24.04", "arch"} {
		e := m.Entry(name)
		for _, beside := range []string{"", e["SIGNATURE"] + e["IMAGE_SIGNATURE"]} {
			m.Publish(name, image)
			flipBit(t, m.At(e["URL"], beside))
			in.Run(t, bare(name)...).Fails(t, 3, "signature|digest|damaged")
			if _, err := os.Stat(j.disk); err == nil { // a proof is wrong before the disk is made
				oracle.EndsZero(t, j.disk)
			}
		}
		m.Publish(name, image)
	}

	d := site.Definition(t, filepath.Join(j.dir, "root"), m.Settings())
	env := gnt(j.disk, map[string]string{"OS_VARIANT": "ubuntu-24.04", "OSP_IMG_PROPERTIES": `{"EXCLUDE_ALL_TASKS": "yes"}`})
	blank(t, j.disk)
	truncateNew(t, j.disk, 256*images.MiB)
	d.Call(t, "create", env).OK(t)
	check("snf-image+ubuntu-24.04")
}

// blank removes a disk file, if it is there.
func blank(t *testing.T, disk string) {
	t.Helper()
	if err := os.Remove(disk); err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
}

func flipBit(t *testing.T, file string) {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	b[len(b)/2] ^= 1
	if err := os.WriteFile(file, b, 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestWalkThrough does what docs/images.md says about a cluster without the internet, command
// by command, on a node that reaches a mirror and on one that reaches nothing.
func TestWalkThrough(t *testing.T) {
	j := newJob(t, images.GPT("ext4", images.Debian()))
	m, image := newMirror(t, j)
	online := site.With(t, m.Settings(), "IMAGE_DIR="+harness.Dir(t))
	offline := site.With(t, m.Settings(), "IMAGE_DIR="+harness.Dir(t), "CATALOGUE_MIRROR=http://127.0.0.1:1")
	blank(t, j.disk)
	j.file("id.pub", "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl me\n")
	inDir := strings.NewReplacer("rocky-10.tar", filepath.Join(j.dir, "rocky-10.tar"), "web1.raw", j.disk, "id.pub", filepath.Join(j.dir, "id.pub"))
	published := m.Signed
	m.Signed = published.Add(-time.Hour)
	m.Publish("rocky-10", image)
	for _, line := range walkThrough(t) {
		if strings.Contains(line, "--update") {
			m.Signed = published
			m.Publish("rocky-10", append(image, make([]byte, 512)...))
			require.Run(t, "", "cp", filepath.Join(j.dir, "rocky-10.tar"), filepath.Join(j.dir, "old.tar"))
		}
		in := offline
		if strings.Contains(line, "image pull") || strings.Contains(line, "image export") {
			in = online
		}
		t.Log("$ " + line)
		out := in.Run(t, strings.Fields(inDir.Replace(strings.TrimPrefix(line, "snf-image ")))...).OK(t)
		t.Log(out.Stdout)
	}
	if got := oracle.ReadFile(t, j.disk, 3, "/etc/hostname"); got != "web1.example.org\n" {
		t.Errorf("/etc/hostname on the disk = %q", got)
	}
	if got := oracle.ReadFile(t, j.disk, 3, "/etc/passwd"); !strings.Contains(got, "\nrocky:x:") {
		t.Errorf("the entry's user was not made:\n%s", got)
	}
	offline.Run(t, "image", "import", filepath.Join(j.dir, "old.tar")).Fails(t, 3, "signed before the image that is pinned here")
	flipBit(t, filepath.Join(j.dir, "rocky-10.tar"))
	another := site.With(t, m.Settings(), "IMAGE_DIR="+harness.Dir(t), "CATALOGUE_MIRROR=http://127.0.0.1:1") // here the image is already
	another.Run(t, "image", "import", filepath.Join(j.dir, "rocky-10.tar")).Fails(t, 3, "digest|signature|damaged")
	offline.Run(t, "image", "verify", "rocky-10").OK(t)
	j.done()
}

// walkThrough returns the commands of the section.
func walkThrough(t *testing.T) (lines []string) {
	t.Helper()
	top, err := harness.Top()
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(top, "docs/images.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(text), "\n## A cluster without the internet\n")
	for line := range strings.Lines(section) {
		if command, ok := strings.CutPrefix(line, "$ "); ok {
			lines = append(lines, strings.TrimSpace(command))
		}
	}
	if len(lines) < 8 {
		t.Fatalf("only %q in docs/images.md", lines)
	}
	return lines
}
