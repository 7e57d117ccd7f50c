package helper

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"snf-image/internal/channel"
	"snf-image/internal/host/ownership"
	"snf-image/internal/report"
	"snf-image/tests/require"
)

// putImage publishes a small helper image in dir and returns its manifest.
func putImage(t *testing.T, dir, release, salt string) *Manifest {
	t.Helper()
	m := &Manifest{
		Schema: ManifestSchema, Release: release, Protocol: channel.Version,
		Flavour: DebianCloud, Suite: "trixie", Newest: "2026-01-31", Kernel: "6.1", Contents: DigestOf([]byte(salt)),
	}
	files := map[string][]byte{}
	put := func(kind string, size int) File {
		content := bytes.Repeat([]byte(kind+salt), size)
		f := NewFile(kind, content)
		files[f.Name] = content
		return f
	}
	m.Vmlinux, m.Initramfs, m.Copyright = put("vmlinux", 400_000), put("initramfs", 1000), put("copyright", 1)
	s, err := OpenStore(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	temp, err := s.Temp()
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(temp)
	if err := s.Publish(temp, m, files); err != nil {
		t.Fatal(err)
	}
	return m
}

func TestOpenSealsWhatItVerified(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	m := putImage(t, dir, "1.0", "a")
	image, err := Open(dir, OpenOptions{Release: "1.0"})
	if err != nil {
		t.Fatal(err)
	}
	defer image.Close()
	for f, want := range map[*os.File]File{image.Kernel: m.Vmlinux, image.Initramfs: m.Initramfs} {
		got, err := io.ReadAll(f) // from the start
		if err != nil {
			t.Fatal(err)
		}
		if DigestOf(got) != want.Digest {
			t.Errorf("%s: memory does not hold the file", want.Name)
		}
		if _, err := f.WriteAt([]byte("x"), 0); !errors.Is(err, unix.EPERM) {
			t.Errorf("%s: writing gives %v, want EPERM", want.Name, err)
		}
		if err := f.Truncate(0); !errors.Is(err, unix.EPERM) {
			t.Errorf("%s: truncating gives %v, want EPERM", want.Name, err)
		}
		if flags, err := unix.FcntlInt(f.Fd(), unix.F_GETFD, 0); err != nil || flags&unix.FD_CLOEXEC == 0 {
			t.Errorf("%s: descriptor flags %#x, %v: children would inherit it", want.Name, flags, err)
		}
	}
}

func TestDigestsAreThoseOfSha256sum(t *testing.T) {
	t.Parallel()
	tool := require.Tool(t, "sha256sum")
	dir := t.TempDir()
	m := putImage(t, dir, "1.0", "a")
	var list strings.Builder
	for _, f := range m.files() {
		list.WriteString(f.Digest + "  " + f.Name + "\n")
	}
	cmd := exec.CommandContext(t.Context(), tool, "--check", "--strict")
	cmd.Dir, cmd.Stdin = dir, strings.NewReader(list.String())
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("sha256sum: %v\n%s", err, out)
	}
}

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name   string
		damage func(t *testing.T, dir string, m *Manifest)
		want   string
	}{
		{"nothing there", func(t *testing.T, dir string, _ *Manifest) { remove(t, dir, manifestName) }, "no such file"},
		{"kernel gone", func(t *testing.T, dir string, m *Manifest) { remove(t, dir, m.Vmlinux.Name) }, "no such file"},
		{"bit flipped in the kernel", func(t *testing.T, dir string, m *Manifest) { flip(t, dir, m.Vmlinux.Name) }, errDigest.Error()},
		{"bit flipped in the initramfs", func(t *testing.T, dir string, m *Manifest) { flip(t, dir, m.Initramfs.Name) }, errDigest.Error()},
		{"initramfs cut", func(t *testing.T, dir string, m *Manifest) {
			if err := os.Truncate(filepath.Join(dir, m.Initramfs.Name), 10); err != nil {
				t.Fatal(err)
			}
		}, errSize.Error()},
		{"kernel is a FIFO", func(t *testing.T, dir string, m *Manifest) {
			remove(t, dir, m.Vmlinux.Name)
			if err := unix.Mkfifo(filepath.Join(dir, m.Vmlinux.Name), 0o600); err != nil {
				t.Fatal(err)
			}
		}, errSize.Error()},
		{"other protocol", func(t *testing.T, dir string, m *Manifest) { m.Protocol++; rewrite(t, dir, m) }, "of the protocol"},
		{"other release", func(t *testing.T, dir string, m *Manifest) { m.Release = "0.9"; rewrite(t, dir, m) }, "another release: 0.9, snf-image is 1.0"},
		{"other schema", func(t *testing.T, dir string, m *Manifest) { m.Schema = 9; rewrite(t, dir, m) }, "manifest of schema 9"},
		{"no date", func(t *testing.T, dir string, m *Manifest) { m.Newest = "soon"; rewrite(t, dir, m) }, `invalid date "soon"`},
		{"path out of the directory", func(t *testing.T, dir string, m *Manifest) {
			m.Vmlinux.Name = "../vmlinux-0123456789abcdef"
			rewrite(t, dir, m)
		}, "invalid file name"},
		{"no JSON", func(t *testing.T, dir string, _ *Manifest) {
			write(t, filepath.Join(dir, manifestName), []byte("{"))
		}, "parsing the manifest"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			tc.damage(t, dir, putImage(t, dir, "1.0", "a"))
			image, err := Open(dir, OpenOptions{Release: "1.0"})
			if err == nil {
				image.Close()
				t.Fatal("Open() accepts it")
			}
			f, ok := errors.AsType[*report.Failure](err)
			if !ok || f.Kind != report.HelperImage || f.On != dir || f.Remedy != Remedy("") {
				t.Errorf("Open() = %#v", err)
			}
			if !strings.Contains(err.Error(), tc.want) {
				t.Errorf("Open() = %v, want %q", err, tc.want)
			}
		})
	}
}

// TestOthers takes no helper image that others than root could have made.
func TestOthers(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		return // a user's files are the user's own business
	}
	for name, spoil := range map[string]func(dir string) error{
		"directory": func(dir string) error { return os.Chmod(dir, 0o777) },
		"above":     func(dir string) error { return os.Chown(filepath.Dir(dir), 1000, 0) },
		"manifest":  func(dir string) error { return os.Chmod(filepath.Join(dir, manifestName), 0o666) },
	} {
		dir := filepath.Join(t.TempDir(), "helper")
		putImage(t, dir, "1.0", "a")
		if err := spoil(dir); err != nil {
			t.Fatal(err)
		}
		_, err := Open(dir, OpenOptions{Release: "1.0"})
		if report.KindOf(err) != report.HelperImage || !errors.Is(err, ownership.ErrOthers) || !strings.Contains(err.Error(), ownership.Remedy) {
			t.Errorf("%s: Open = %v", name, err)
		}
		if _, err := OpenStore(dir); name != "manifest" && !errors.Is(err, ownership.ErrOthers) {
			t.Errorf("%s: openStore = %v", name, err)
		}
	}
}

func TestAnyReleaseForgivesOnlyTheRelease(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	m := putImage(t, dir, "0.9", "a")
	opts := OpenOptions{Release: "1.0", AnyRelease: true}
	image, err := Open(dir, opts)
	if err != nil {
		t.Fatal(err)
	}
	image.Close()
	if len(image.Warnings) != 1 || !strings.Contains(image.Warnings[0], "0.9") {
		t.Errorf("Warnings = %q", image.Warnings)
	}
	m.Protocol++
	rewrite(t, dir, m)
	if _, err := Open(dir, opts); err == nil {
		t.Error("Open() accepts another protocol")
	}
}

func TestInfo(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if _, err := Info(dir, ""); report.KindOf(err) != report.HelperImage {
		t.Errorf("Info(empty) = %v", err)
	}
	m := putImage(t, dir, "1.0", "a")
	d, err := Info(dir, "")
	if err != nil || !d.Intact || len(d.Problems) != 0 || d.Kernel != "6.1" {
		t.Errorf("Info() = %+v, %v", d, err)
	}
	flip(t, dir, m.Initramfs.Name)
	remove(t, dir, m.Copyright.Name)
	d, err = Info(dir, "")
	if err != nil || d.Intact || len(d.Problems) != 2 {
		t.Errorf("Info(damaged) = %+v, %v", d, err)
	}
}

func FuzzParseManifest(f *testing.F) {
	f.Add([]byte(`{"schema":2}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := parseManifest(b)
		if err != nil {
			return
		}
		for _, file := range m.files() {
			if strings.ContainsAny(file.Name, "/.") || file.Size <= 0 {
				t.Errorf("parseManifest accepts %+v", file)
			}
		}
	})
}

func remove(t *testing.T, dir, name string) {
	t.Helper()
	if err := os.Remove(filepath.Join(dir, name)); err != nil {
		t.Fatal(err)
	}
}

func write(t *testing.T, name string, b []byte) {
	t.Helper()
	if err := os.WriteFile(name, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

func flip(t *testing.T, dir, name string) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	b[len(b)/2] ^= 1
	write(t, filepath.Join(dir, name), b)
}

func rewrite(t *testing.T, dir string, m *Manifest) {
	t.Helper()
	b, err := m.encode()
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, manifestName), b)
}

// TestSealWaits seals a memory file that is mapped for writing for a moment more, which
// is what the kernel refuses at first.
func TestSealWaits(t *testing.T) {
	t.Parallel()
	fd, err := unix.MemfdCreate("busy", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	if err != nil {
		t.Fatal(err)
	}
	memory := os.NewFile(uintptr(fd), "busy")
	defer memory.Close()
	if err := memory.Truncate(4096); err != nil {
		t.Fatal(err)
	}
	mapped, err := unix.Mmap(fd, 0, 4096, unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := unix.FcntlInt(memory.Fd(), unix.F_ADD_SEALS, seals); !errors.Is(err, unix.EBUSY) {
		t.Fatalf("sealing a mapped file = %v, want EBUSY", err)
	}
	time.AfterFunc(200*time.Millisecond, func() { _ = unix.Munmap(mapped) })
	if err := seal(memory); err != nil {
		t.Errorf("seal() = %v", err)
	}
	if _, err := memory.WriteAt([]byte("x"), 0); !errors.Is(err, unix.EPERM) {
		t.Errorf("writing to the sealed file = %v, want EPERM", err)
	}
}
