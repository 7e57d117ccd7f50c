package vm

import (
	"bytes"
	"os"
	"runtime"
	"syscall"
	"testing"

	"snf-image/tests/jail"
)

// TestJail: a QEMU that was taken over can do what docs/security.md says. Its own filter of system
// calls is not there.
func TestJail(t *testing.T) {
	t.Parallel()
	runtime.LockOSThread() // the stand-in dies with the thread
	defer runtime.UnlockOSThread()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cfg := config(t, program)
	if os.Geteuid() == 0 {
		cfg.User = &syscall.Credential{Uid: 1_899_999_990, Gid: 1_899_999_990}
	}
	c := confinement(cfg)
	var said bytes.Buffer
	c.Args, c.Stderr = append([]string{"qemu"}, jail.NewFixture(t).Args(jail.Names()...)...), &said
	p, err := c.Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Wait(); err != nil || len(p.Missing) > 0 {
		t.Errorf("the stand-in ended with %v, without the layers %q:\n%s", err, p.Missing, &said)
	}
	jail.Compare(t, "QEMU", jail.Outcomes(said.String()))
}
