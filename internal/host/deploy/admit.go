package deploy

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"snf-image/internal/host/admission"
	"snf-image/internal/host/vm"
	"snf-image/internal/report"
)

// reserve is the memory in MiB that QEMU, worker and host process take beside
// the helper's. Measured with TCG: 366 all together with a helper of 512, which does
// not touch all of its own.
const reserve = 256

// patience is how long a deployment waits for others.
const patience = 15 * time.Minute

// runtimeDir is where deployments on this node know of each other. Only root's
// do: others run no more at once than they want to.
const runtimeDir = "/run/snf-image"

func thisNode() admission.Node {
	n := admission.Node{Proc: "/proc", Cgroup: "/sys/fs/cgroup"}
	if os.Geteuid() == 0 {
		n.Dir = runtimeDir
	}
	return n
}

// ownRuntimeDir is where deployments of the calling user remember what they found
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

// verdicts are what is known about KVM on this node.
func (r *run) verdicts() vm.Verdicts {
	v := vm.Verdicts{Dir: ownRuntimeDir(), QEMU: r.qemu}
	if r.helper != nil {
		v.Kernel = r.helper.Manifest.Vmlinux.Digest
	}
	return v
}

// limits are what a helper of this deployment takes.
func (r *run) limits() admission.Limits {
	return admission.Limits{MiB: r.Config.HelperMemory + reserve, Most: r.Config.MaxHelpers, Patience: patience}
}

// admit waits until there is room for one more helper. For an image on this node it
// comes before anything is written: a disk is not blanked to wait for memory then.
func (r *run) admit(ctx context.Context) error {
	if r.helper == nil {
		return nil
	}
	place, err := thisNode().Enter(ctx, r.limits(), func(reason string) {
		r.Log.Info("waiting for other deployments: " + reason)
		if r.Sink != nil {
			r.Sink.Send(report.Info("waiting for other deployments"))
		}
	})
	r.place = place
	if _, ok := errors.AsType[*report.Failure](err); err == nil || ok || ctx.Err() != nil {
		return err
	}
	return &report.Failure{Kind: report.Node, What: "waiting for other deployments", On: "this node", Cause: err, Remedy: "see that " + runtimeDir + " is a directory of root's and /proc is mounted"}
}
