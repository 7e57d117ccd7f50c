package build

import (
	"bytes"
	"errors"
	"io"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/u-root/u-root/pkg/cpio"
)

func testTree() tree {
	t := skeleton()
	t.file("/sbin/tool", 0o755, []byte("tool"))
	t.file("etc/deep/er/file", 0o640, []byte("content"))
	t.link("/bin/sh", "bash")
	return t
}

func TestArchiveIsTheSameEveryTime(t *testing.T) {
	t.Parallel()
	first, err := archive(testTree())
	if err != nil {
		t.Fatal(err)
	}
	for range 20 { // map order differs from run to run
		again, err := archive(testTree())
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(first, again) {
			t.Fatal("archive(t) gives different bytes for the same tree")
		}
	}
}

func TestArchiveHoldsTheTree(t *testing.T) {
	t.Parallel()
	b, err := archive(testTree())
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]cpio.Info{}
	content := map[string]string{}
	var names []string
	r := cpio.Newc.Reader(bytes.NewReader(b))
	for {
		rec, err := r.ReadRecord()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(io.NewSectionReader(rec, 0, int64(rec.FileSize)))
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, rec.Name)
		got[rec.Name], content[rec.Name] = rec.Info, string(data)
	}
	want := map[string]cpio.Info{
		"dev/console":      {Mode: cpio.S_IFCHR | 0o600, Rmajor: 5, Rminor: 1},
		"dev/null":         {Mode: cpio.S_IFCHR | 0o666, Rmajor: 1, Rminor: 3},
		"bin":              {Mode: cpio.S_IFLNK | 0o777, FileSize: 7},
		"usr/sbin/tool":    {Mode: cpio.S_IFREG | 0o755, FileSize: 4},
		"etc/deep/er":      {Mode: cpio.S_IFDIR | 0o755},
		"etc/deep/er/file": {Mode: cpio.S_IFREG | 0o640, FileSize: 7},
		"tmp":              {Mode: cpio.S_IFDIR | 0o1777},
	}
	for name, w := range want {
		g := got[name]
		g.Ino, g.NLink, w.Name = 0, 0, name
		if diff := cmp.Diff(w, g); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	if content["bin"] != "usr/bin" || content["usr/bin/sh"] != "bash" || content["etc/deep/er/file"] != "content" {
		t.Errorf("content = %q", content)
	}
	seen := map[uint64]bool{}
	for i, name := range names {
		if seen[got[name].Ino] || i > 0 && names[i-1] >= name {
			t.Errorf("%s: inode %d twice, or out of order", name, got[name].Ino)
		}
		seen[got[name].Ino] = true
	}
}
