package session

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"snf-image/internal/host/admission"
	"snf-image/internal/report"
)

// Reserve is the memory in MiB that QEMU, worker and host process take beside
// the helper's. Measured with TCG: 366 all together with a helper of 512, which does
// not touch all of its own.
const Reserve = 256

// patience is how long a session waits for others.
const patience = 15 * time.Minute

// runtimeDir is where the sessions on this node know of each other. Only root's
// do: others run no more at once than they want to.
const runtimeDir = "/run/snf-image"

// Node is a node as sessions see it.
type Node struct {
	// Node has a Dir where sessions know of each other; runs lock disks by URI there,
	// too. It is empty for a user who shares nothing with others.
	admission.Node
	// Verdicts is where sessions keep what they found out about KVM, empty for nowhere.
	Verdicts string
}

// ThisNode returns the node this program runs on.
func ThisNode() Node {
	n := Node{Node: admission.Node{Proc: "/proc", Cgroup: "/sys/fs/cgroup"}, Verdicts: ownRuntimeDir()}
	if os.Geteuid() == 0 {
		n.Dir = runtimeDir
	}
	return n
}

// ownRuntimeDir is where sessions of the calling user remember what they found
// out: root's share theirs, other users have one where systemd made them a runtime
// directory (pam_systemd(8)), else "".
func ownRuntimeDir() string {
	uid := os.Geteuid()
	if uid == 0 {
		return runtimeDir
	}
	home := fmt.Sprintf("/run/user/%d", uid)
	if st, err := os.Stat(home); err != nil || !st.IsDir() {
		return ""
	}
	return filepath.Join(home, "snf-image")
}

// limits are what the helper takes of the node.
func (s *Session) limits() admission.Limits {
	return admission.Limits{MiB: s.Config.HelperMemory + Reserve, Most: s.Config.MaxHelpers, Patience: patience}
}

// Admit waits until there is room for one more helper. For an image on this node that
// comes before anything is written: a disk is not blanked to wait for memory then.
func (s *Session) Admit(ctx context.Context) error {
	place, err := s.Node.Enter(ctx, s.limits(), func(reason string) {
		s.Log.Info("waiting for other deployments: " + reason)
		s.Tell("waiting for other deployments")
	})
	s.place = place
	if _, ok := errors.AsType[*report.Failure](err); err == nil || ok || ctx.Err() != nil {
		return err
	}
	return &report.Failure{
		Kind: report.Node, What: "waiting for other deployments", On: "this node", Cause: err,
		Remedy: "see that " + runtimeDir + " is a directory of root's and /proc is mounted",
	}
}

// Postpone releases the memory of the helper image until Resume. It makes sure that
// the node has the memory for a helper at all.
func (s *Session) Postpone() error {
	_ = s.image.Unload()
	return s.Node.Fits(s.limits())
}

// Resume waits for room as Admit does, and verifies the helper image anew.
func (s *Session) Resume(ctx context.Context) error {
	if err := s.Admit(ctx); err != nil {
		return err
	}
	return s.load()
}
