package nbd

import (
	"bytes"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"

	"snf-image/internal/host/confine"
	"snf-image/tests/jail"
)

// TestJail: a qemu-nbd that was taken over can do what docs/security.md says.
func TestJail(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 { // the column is about root
		return
	}
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	file, err := os.Create(filepath.Join(t.TempDir(), "disk"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = file.Close() })
	own := &syscall.Credential{Uid: 1_899_999_991, Gid: 1_899_999_991}
	for column, c := range map[string]confine.Child{
		"qemu-nbd":           confinement("nbd://storage/disk", program, own),
		"qemu-nbd with keys": confinement("rbd:pool/disk", program, own),
		"qemu-nbd of a file": fileConfinement(program, 3),
	} {
		t.Run(column, func(t *testing.T) {
			t.Parallel()
			runtime.LockOSThread() // the stand-in dies with the thread
			defer runtime.UnlockOSThread()
			var said bytes.Buffer
			c.Files = []*os.File{file}
			c.Args, c.Stderr = append([]string{Tool}, jail.NewFixture(t).Args(jail.Names()...)...), &said
			p, err := c.Start(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if err := p.Wait(); err != nil || len(p.Missing) > 0 {
				t.Errorf("the stand-in ended with %v, without the layers %q:\n%s", err, p.Missing, &said)
			}
			jail.Compare(t, column, jail.Outcomes(said.String()))
		})
	}
}
