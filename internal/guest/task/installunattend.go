package task

import (
	"context"
	"strings"

	"snf-image/internal/guest/windows"
	"snf-image/internal/spec"
)

// installUnattend installs the answer file of Windows, and the scripts of its first boot.
func installUnattend(ctx context.Context, r *Run) error {
	if w := r.Inspection.Windows; w != nil && strings.HasSuffix(w.State, "_TO_AUDIT") {
		r.Warn("Windows starts in audit mode: the scripts with passwords are removed when that has ended, by sysprep /oobe")
	}
	if err := windows.Install(ctx, r.guest(), r.windowsSystem(), r.answers(), r.now()); err != nil {
		return err
	}
	if r.RecoveryMoved == 0 {
		return nil
	}
	return windows.EnableRecovery(r.Root)
}

// installSysprep is installUnattend before NT 6.
func installSysprep(_ context.Context, r *Run) error {
	return windows.InstallLegacy(r.guest(), r.answers(), r.now())
}

// answers are the answer files, and what they are completed with.
func (r *Run) answers() windows.Answers {
	c := r.credentials()
	a := windows.Answers{Given: c.AnswerFile, Node: c.NodeAnswer, Ignore: r.Plan.Boolean(spec.PropIgnoreUnattend), Zone: r.Plan.TimeZone}
	a.Named = r.willRun(spec.AssignHostname) && r.Plan.InstanceName != ""
	if c.ProductKey != nil {
		a.ProductKey = *c.ProductKey
	}
	if name := windows.CloudInit(r.Root); name != "" {
		r.Warn("the image has %s, which is left as it is: it may set another name and password when it finds a source of data", name)
	}
	return a
}
