package build

import (
	"archive/tar"
	"bytes"
	"debug/elf"
	"encoding/base64"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestModuleOrder(t *testing.T) {
	t.Parallel()
	k := newKernelFiles()
	k.builtin["ext4"] = true
	for _, m := range []module{
		testModule("virtio"),
		testModule("virtio_ring"),
		testModule("virtio_pci", "virtio_ring", "virtio-pci-modern-dev", "virtio"),
		testModule("virtio_pci_modern_dev"),
		testModule("virtio_blk", "virtio", "virtio_ring"),
		testModule("uses_builtin", "ext4"),
		testModule("broken", "nowhere"),
	} {
		k.modules[moduleName(m.path[strings.LastIndex(m.path, "/")+1:])] = m
	}
	for _, tc := range []struct {
		name    string
		in      []string
		want    string
		wantErr string
	}{
		{
			"dependencies first, each once",
			[]string{"virtio_pci", "virtio_blk"},
			"virtio_ring virtio_pci_modern_dev virtio virtio_pci virtio_blk", "",
		},
		{"built in", []string{"ext4"}, "", ""},
		{"depends on a built in one", []string{"uses_builtin"}, "uses_builtin", ""},
		{"missing", []string{"vfat"}, "", "kernel module vfat, needed by the helper, is not in the kernel package"},
		{"dependency missing", []string{"broken"}, "", "kernel module nowhere, needed by broken, is not in the kernel package"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			tree := tree{}
			got, err := k.add(tree, tc.in, maxModule)
			if tc.wantErr != "" {
				if err == nil || err.Error() != tc.wantErr {
					t.Fatalf("add(%v) = %v, want %s", tc.in, err, tc.wantErr)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			want := []string{}
			for name := range strings.FieldsSeq(tc.want) {
				want = append(want, "/usr/lib/modules/1/"+name+".ko")
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("add(%v) (-want +got):\n%s", tc.in, diff)
			}
			if len(tree) != len(want) {
				t.Errorf("add(%v) put %v into the tree", tc.in, tree.paths())
			}
		})
	}
}

func TestKernelFilesVisit(t *testing.T) {
	t.Parallel()
	k := newKernelFiles()
	for name, content := range map[string]string{
		"boot/vmlinuz-6.1.0-1-cloud-amd64":            "bz",
		"usr/lib/modules/6.1.0-1/modules.builtin":     "kernel/fs/ext4/ext4.ko\nkernel/crypto/crc32c-generic.ko\n",
		"usr/lib/modules/6.1.0-1/kernel/md/dm-mod.ko": "dm",
		"usr/share/doc/linux-image/changelog.gz":      "x",
	} {
		h := &tar.Header{Name: name, Typeflag: tar.TypeReg, Size: int64(len(content))}
		if err := k.visit(h, strings.NewReader(content)); err != nil {
			t.Fatal(err)
		}
	}
	want := &kernelFiles{
		version: "6.1.0-1-cloud-amd64", bzImage: []byte("bz"),
		modules: map[string]module{"dm_mod": {path: "usr/lib/modules/6.1.0-1/kernel/md/dm-mod.ko", data: []byte("dm")}},
		builtin: map[string]bool{"ext4": true, "crc32c_generic": true},
	}
	if diff := cmp.Diff(want, k, cmp.AllowUnexported(kernelFiles{}, module{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestPackedModule takes a module compressed by xz(1), as trixie packages them.
func TestPackedModule(t *testing.T) {
	t.Parallel()
	packed, err := base64.StdEncoding.DecodeString("/Td6WFoAAATm1rRGAgAhARYAAAB0L+WjAQALbW9kdWxlIGJ5dGVzAOaXzfrZ8wJ9AAEkDKYY2NgftvN9AQAAAAAEWVo=")
	if err != nil {
		t.Fatal(err)
	}
	k := newKernelFiles()
	h := &tar.Header{Name: "usr/lib/modules/1/dm-mod.ko.xz", Typeflag: tar.TypeReg}
	if err := k.visit(h, bytes.NewReader(packed)); err != nil {
		t.Fatal(err)
	}
	got, err := k.modules["dm_mod"].unpack()
	if err != nil || string(got.data) != "module bytes" || got.path != "usr/lib/modules/1/dm-mod.ko" || got.packed {
		t.Errorf("unpack() = %+v, %v, want the bytes and the name without .xz", got, err)
	}
	cut := module{path: "a.ko", data: packed[:len(packed)/2], packed: true}
	if got, err := cut.unpack(); err == nil {
		t.Errorf("unpack() of half a file = %+v, want an error", got)
	}
}

func FuzzDepends(f *testing.F) {
	f.Add(testModule("a", "b", "c-d").data)
	f.Add(testELF(elf.ET_REL, "depends="))
	f.Fuzz(func(t *testing.T, data []byte) {
		depends, err := module{data: data}.depends()
		if err != nil && depends != nil {
			t.Errorf("depends() = %q with error %v", depends, err)
		}
	})
}
