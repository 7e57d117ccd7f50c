package worker

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/zeebo/blake3"

	"snf-image/internal/host/confine"
	"snf-image/internal/host/target"
	"snf-image/internal/spec"
	"snf-image/tests/jail"
)

// TestMain lets the test binary be the worker, and what becomes qemu-nbd.
func TestMain(m *testing.M) {
	if os.Args[0] == confine.Name {
		fmt.Fprintln(os.Stderr, confine.Launch(os.Args))
		os.Exit(1)
	}
	if jail.Asked(os.Args) {
		if err := giveUp(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		jail.Main(os.Args)
		return
	}
	if os.Args[0] == Name {
		if err := Main(context.Background(), os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// noise is incompressible data.
func noise(seed uint64, n int) []byte {
	b := make([]byte, n)
	_, _ = rand.NewChaCha8(sha256.Sum256([]byte{byte(seed)})).Read(b)
	return b
}

// writeSparse makes an image file with holes where blocks are zero.
func writeSparse(t *testing.T, disk []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "image")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := f.Truncate(int64(len(disk))); err != nil {
		t.Fatal(err)
	}
	for off := 0; off < len(disk); off += 4096 {
		if b := disk[off:min(off+4096, len(disk))]; !isZero(b) {
			if _, err := f.WriteAt(b, int64(off)); err != nil {
				t.Fatal(err)
			}
		}
	}
	return path
}

// stale makes a disk file full of another tenant's bytes.
func stale(t *testing.T, size int) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "disk")
	if err := os.WriteFile(path, bytes.Repeat([]byte("stale!! "), size/8), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// loop attaches a loop device to path.
func loop(t *testing.T, path string, args ...string) string {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root for a loop device")
	}
	out, err := exec.Command("losetup", append(args, "--find", "--show", path)...).Output()
	if err != nil {
		t.Fatalf("losetup: %v", err)
	}
	dev := strings.TrimSpace(string(out))
	t.Cleanup(func() { _ = exec.Command("losetup", "--detach", dev).Run() })
	return dev
}

// rig is an image and a disk opened for a worker.
type rig struct {
	Job
	disk *target.Disk
}

func open(t *testing.T, image, disk string) rig {
	t.Helper()
	img, err := os.Open(image)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = img.Close() })
	st, err := img.Stat()
	if err != nil {
		t.Fatal(err)
	}
	d, err := target.Open(disk, target.Options{Image: img, ImageSize: st.Size()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	r := rig{disk: d, Job: Job{Format: spec.Raw, Stored: st.Size(), DiskSize: d.Size, Wipe: target.WipeAuto, From: img, To: d.File}}
	for _, end := range []**os.File{&r.Head, &r.Tail} {
		f, err := target.NewEnd("end")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = f.Close() })
		*end = f
	}
	return r
}

// write runs the worker to its end.
func (r rig) write(ctx context.Context) (Result, error) {
	w, err := Start(ctx, r.Job)
	if err != nil {
		return Result{}, err
	}
	return w.Wait()
}

// blockDigest is the block digest as digest.go describes it, written anew.
func blockDigest(disk []byte) string {
	const block = 64 << 10
	var all []byte
	for i := 0; i*block < len(disk); i++ {
		b := disk[i*block : min((i+1)*block, len(disk))]
		if bytes.Count(b, []byte{0}) == len(b) {
			continue
		}
		sum := blake3.Sum256(b)
		all = append(binary.BigEndian.AppendUint64(all, uint64(i)), sum[:]...)
	}
	sum := blake3.Sum256(binary.BigEndian.AppendUint64(all, uint64(len(disk))))
	return hex.EncodeToString(sum[:])
}

// blank reports whether both ends of the disk at path are zero.
func blank(t *testing.T, path string) bool {
	t.Helper()
	b := readDisk(t, path)
	return isZero(b[:spec.EndSize]) && isZero(b[len(b)-spec.EndSize:])
}

func readDisk(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
