package nbd

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestQcow2 reads and writes the disk in a qcow2 file, by a program that may write nothing
// else.
func TestQcow2(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "disk.qcow2")
	if out, err := exec.Command("qemu-img", "convert", "-f", "raw", "-O", "qcow2", disk(t), path).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := ResizeQcow2(t.Context(), f, "the disk", 2*diskSize); err != nil {
		t.Fatal(err)
	}
	s, err := ServeQcow2(t.Context(), f, "the disk", false)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	c := dial(t, s)
	want := append(bytes.Repeat([]byte{0xa5}, diskSize), make([]byte, diskSize)...)
	got := make([]byte, 2*diskSize)
	for off := 0; off < len(got); off += MaxPayload {
		if _, err := c.ReadAt(got[off:off+MaxPayload], int64(off)); err != nil {
			t.Fatal(err)
		}
	}
	if c.Export().Size != 2*diskSize || !bytes.Equal(got, want) {
		t.Errorf("the disk of %d bytes differs", c.Export().Size)
	}
	if _, err := c.WriteAt([]byte("written"), diskSize+3); err != nil {
		t.Error(err)
	}
	if err := c.Flush(); err != nil {
		t.Error(err)
	}
	if missing := s.Missing(); !slices.ContainsFunc(s.Layers(), func(l string) bool { return strings.HasPrefix(l, "landlock") }) && !slices.Contains(missing, "landlock") {
		t.Errorf("layers %v, missing %v", s.Layers(), missing)
	}
}

// TestQcow2Interrupted: a server that is told to end writes the tables of its file, or the
// clusters it wrote would be of nobody.
func TestQcow2Interrupted(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "disk.qcow2")
	if out, err := exec.Command("qemu-img", "create", "-q", "-f", "qcow2", path, "64M").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	s, err := ServeQcow2(ctx, f, "the disk", false)
	if err != nil {
		t.Fatal(err)
	}
	c := dial(t, s)
	data := bytes.Repeat([]byte{0xa5}, 1<<20)
	for i := range int64(24) {
		if _, err := c.WriteAt(data, i<<20); err != nil {
			t.Fatal(err)
		}
	}
	cancel()
	_ = s.Close()
	out, err := exec.Command("qemu-img", "check", "-f", "qcow2", "--output=json", path).CombinedOutput()
	if err != nil || !strings.Contains(string(out), `"allocated-clusters": 384`) {
		t.Errorf("24 MiB were written, in clusters of 64 KiB (%v):\n%s", err, out)
	}
}

// TestFileConfinement: a program that is confined so may write the one file and no other.
func TestFileConfinement(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, name := range []string{"mine", "other"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("before"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	f, err := os.OpenFile(filepath.Join(dir, "mine"), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var out bytes.Buffer
	c := fileConfinement("/bin/sh", 3)
	c.Args = []string{"sh", "-c", `echo mine >/proc/self/fd/3 && echo reopened; echo other >"$0/other" && echo written; echo new >"$0/new" && echo made`, dir}
	c.Files, c.Stdout, c.Stderr = []*os.File{f}, &out, &out
	_ = runChild(t.Context(), c) // the last command fails
	text := out.String()
	if !strings.Contains(text, "reopened") || strings.Contains(text, "written") || strings.Contains(text, "made") {
		t.Errorf("it said %s", text)
	}
}
