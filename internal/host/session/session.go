// Package session runs one helper: it finds QEMU, verifies the helper image, waits
// for room on the node, boots the helper on disks that are open already, and holds
// the conversation with its agent.
//
// What the helper says is hostile until proven otherwise. It is bounded, it must
// come in order, and success counts only if it is earned: every planned task is
// accounted for, and the helper powered off cleanly with all its writes on the disk.
package session

import (
	"errors"
	"log/slog"
	"os"
	"syscall"

	"snf-image/internal/command"
	"snf-image/internal/host/admission"
	"snf-image/internal/host/config"
	"snf-image/internal/host/helper"
	"snf-image/internal/host/vm"
	"snf-image/internal/report"
)

// Settings are what the sessions of one call of this program have in common.
type Settings struct {
	Config  *config.Config
	Release string // of this program
	Log     *slog.Logger
	Node    Node
}

// Options are what a session needs beside the settings.
type Options struct {
	Settings
	// User is the identity of QEMU; nil is the caller's.
	User *syscall.Credential
	// Warn gets what an administrator should know.
	Warn func(text string)
	// Tell gets what the owner of the instance may know.
	Tell func(text string)
	// Redact takes secrets out of a line that QEMU or the helper printed.
	Redact func(line string) string
}

// Quiet returns the options of a session that has no owner and no secrets, and whose
// warnings go to the log.
func (s Settings) Quiet(user *syscall.Credential) Options {
	return Options{
		Settings: s, User: user,
		Warn: func(text string) { s.Log.Warn(text) }, Tell: func(string) {},
		Redact: func(line string) string { return line },
	}
}

// Session is everything on this node that one helper needs, but for its disks.
type Session struct {
	Options
	qemu  string
	image *helper.Image
	place *admission.Place // nil until Admit
}

// Open finds QEMU and verifies the helper image. It changes nothing on the node.
func Open(o Options) (*Session, error) {
	if gid, ok := vm.KVMGroup(); ok && o.User != nil {
		user := *o.User
		user.Groups = []uint32{gid}
		o.User = &user
	}
	qemu, err := FindQEMU(o.Config.QEMU)
	if err != nil {
		return nil, err
	}
	s := &Session{Options: o, qemu: qemu}
	if err := s.load(); err != nil {
		return nil, err
	}
	for _, w := range s.image.Warnings {
		o.Warn(w)
	}
	return s, nil
}

// FindQEMU returns the path of the program the configuration names.
func FindQEMU(name string) (string, error) {
	path, err := command.Find(name)
	if err != nil {
		return "", &report.Failure{
			Kind: report.Node, What: "looking for QEMU", On: name, Cause: err,
			Remedy: "install qemu-system-x86, or name the program with KVM in the configuration file",
		}
	}
	return path, nil
}

// load copies the helper image to memory and verifies it.
func (s *Session) load() error {
	image, err := helper.Open(s.Config.HelperDir, helper.OpenOptions{
		Release: s.Release, AnyRelease: !s.Config.VersionCheck, Package: s.Config.HelperPkg,
	})
	if err == nil {
		s.image = image
	}
	return err
}

// Close releases the helper image and the place on the node. A helper that still
// runs must be stopped before.
func (s *Session) Close() {
	if err := s.image.Close(); err != nil && !errors.Is(err, os.ErrInvalid) { // ErrInvalid: Postpone released it
		s.Log.Debug("releasing the helper image: " + err.Error())
	}
	s.place.Leave()
}

// Manifest describes the helper image.
func (s *Session) Manifest() *helper.Manifest { return s.image.Manifest }

// Warnings are those of the helper image.
func (s *Session) Warnings() []string { return s.image.Warnings }

// Choice is how the helper will be run.
func (s *Session) Choice() vm.Choice {
	return s.verdicts().Apply(vm.Choose(s.Config.Accelerator, s.User))
}

// Forget lets the next start try KVM, even if it did not run the helper before.
func (s *Session) Forget() error { return s.verdicts().Forget() }

// verdicts are what is known about KVM on this node.
func (s *Session) verdicts() vm.Verdicts {
	return vm.Verdicts{Dir: s.Node.Verdicts, QEMU: s.qemu, Kernel: s.image.Manifest.Vmlinux.Digest}
}
