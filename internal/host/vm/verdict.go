package vm

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Verdicts remembers, for one boot of the node and at most a day, that KVM did not run
// the helper: each attempt costs a deployment seconds. A verdict is about one QEMU, one kernel
// of the node and one kernel of the helper.
//
// Only what the caller alone can write is believed. Anything else, and anything that
// does not read as a verdict, counts as no verdict.
type Verdicts struct {
	Dir    string // made when there is a verdict; empty remembers nothing
	QEMU   string // path of the program
	Kernel string // digest of the helper's kernel
}

// verdict is the content of a file in Dir.
type verdict struct {
	Subject string    `json:"subject"`
	Why     string    `json:"why"`
	When    time.Time `json:"when"`
}

// Bounds of the files in Dir: verdicts about QEMUs that were replaced stay until the
// node boots.
const (
	verdictPrefix   = "kvm-"
	maxVerdicts     = 32
	maxVerdictBytes = 4096
)

// verdictLife is how long a verdict counts. A node that was too busy once for its KVM to
// answer in time should not go without it until somebody notices.
const verdictLife = 24 * time.Hour

// Fails reports whether KVM failed before, and why and when in words for the log.
func (v Verdicts) Fails() (why string, fails bool) {
	subject, path, err := v.place()
	if err != nil || !private(v.Dir, unix.S_IFDIR) {
		return "", false
	}
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return "", false
	}
	defer func() { _ = f.Close() }()
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil || !privateStat(&st, unix.S_IFREG) {
		return "", false
	}
	var found verdict
	text, err := io.ReadAll(io.LimitReader(f, maxVerdictBytes))
	if err != nil || json.Unmarshal(text, &found) != nil || found.Subject != subject {
		return "", false
	}
	if age := time.Since(found.When); age < 0 || age > verdictLife {
		return "", false
	}
	return fmt.Sprintf("%s, at %s", found.Why, found.When.Local().Format(time.DateTime)), true
}

// Apply returns the choice that is left by what is remembered, where there is one.
func (v Verdicts) Apply(c Choice) Choice {
	if len(c.Accelerators) == 1 {
		return c
	}
	if why, fails := v.Fails(); fails {
		return c.Failed(why)
	}
	return c
}

// Remember keeps the verdict that KVM failed. It does nothing without a Dir.
func (v Verdicts) Remember(why string) error {
	if v.Dir == "" {
		return nil
	}
	if err := os.Mkdir(v.Dir, 0o700); err != nil && !errors.Is(err, os.ErrExist) {
		return fmt.Errorf("remembering that KVM failed: %w", err)
	}
	if !private(v.Dir, unix.S_IFDIR) {
		return fmt.Errorf("remembering that KVM failed: others may write to %s", v.Dir)
	}
	if others, _ := filepath.Glob(filepath.Join(v.Dir, verdictPrefix+"*")); len(others) >= maxVerdicts {
		if err := v.Forget(); err != nil {
			return err
		}
	}
	subject, path, err := v.place()
	if err != nil {
		return fmt.Errorf("remembering that KVM failed: %w", err)
	}
	text, err := json.Marshal(verdict{Subject: subject, Why: why, When: time.Now()})
	if err != nil {
		return fmt.Errorf("remembering that KVM failed: %w", err)
	}
	f, err := os.CreateTemp(v.Dir, verdictPrefix+"new-")
	if err != nil {
		return fmt.Errorf("remembering that KVM failed: %w", err)
	}
	_, err = f.Write(text)
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("remembering that KVM failed: %w", err), os.Remove(f.Name()))
	}
	return nil
}

// Forget takes all verdicts of the caller's back, so that KVM is tried again.
func (v Verdicts) Forget() error {
	if v.Dir == "" || !private(v.Dir, unix.S_IFDIR) {
		return nil
	}
	paths, err := filepath.Glob(filepath.Join(v.Dir, verdictPrefix+"*"))
	for _, path := range paths {
		if e := os.Remove(path); !errors.Is(e, os.ErrNotExist) {
			err = errors.Join(err, e)
		}
	}
	if err != nil {
		return fmt.Errorf("forgetting that KVM failed: %w", err)
	}
	return nil
}

// place returns what a verdict is about and the path of its file. The QEMU is known
// by its file, which asks no program for its version: an upgrade replaces the file.
func (v Verdicts) place() (subject, path string, err error) {
	if v.Dir == "" {
		return "", "", errors.New("it has no directory")
	}
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return "", "", err
	}
	var node unix.Utsname
	if err := unix.Uname(&node); err != nil {
		return "", "", err
	}
	var qemu unix.Stat_t
	if err := unix.Stat(v.QEMU, &qemu); err != nil {
		return "", "", err
	}
	subject = fmt.Sprintf("boot %s, kernel %s %s, %s (file %d:%d of %d bytes, changed at %d.%09d), helper's kernel %s, uid %d",
		strings.TrimSpace(string(boot)), unix.ByteSliceToString(node.Release[:]), unix.ByteSliceToString(node.Version[:]),
		v.QEMU, qemu.Dev, qemu.Ino, qemu.Size, qemu.Ctim.Sec, qemu.Ctim.Nsec, v.Kernel, os.Geteuid())
	sum := sha256.Sum256([]byte(subject))
	return subject, filepath.Join(v.Dir, verdictPrefix+hex.EncodeToString(sum[:8])), nil
}

// private reports whether path is of that type, not a link, and nobody but the caller
// may write to it.
func private(path string, typ uint32) bool {
	var st unix.Stat_t
	return unix.Lstat(path, &st) == nil && privateStat(&st, typ)
}

func privateStat(st *unix.Stat_t, typ uint32) bool {
	return st.Mode&syscall.S_IFMT == typ && int(st.Uid) == os.Geteuid() && st.Mode&0o022 == 0
}
