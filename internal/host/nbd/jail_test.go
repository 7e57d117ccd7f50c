package nbd

import (
	"bytes"
	"os"
	"runtime"
	"syscall"
	"testing"

	"snf-image/tests/jail"
)

// TestJail: a qemu-nbd that was taken over can do what docs/security.md says.
func TestJail(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 { // the column is about root
		return
	}
	for column, uri := range map[string]string{"qemu-nbd": "nbd://storage/disk", "qemu-nbd with keys": "rbd:pool/disk"} {
		t.Run(column, func(t *testing.T) {
			t.Parallel()
			runtime.LockOSThread() // the stand-in dies with the thread
			defer runtime.UnlockOSThread()
			program, err := os.Executable()
			if err != nil {
				t.Fatal(err)
			}
			c := confinement(uri, program, &syscall.Credential{Uid: 1_899_999_991, Gid: 1_899_999_991})
			var said bytes.Buffer
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
