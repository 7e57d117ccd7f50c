package builder

import (
	"snf-image/internal/host/problem"
	"snf-image/internal/spec"
)

// buildScope lets KEEP_IDENTITY restrict the tasks on a disk that is customized
// as it is. With an image there is no identity to keep, and customize keeps it
// by itself.
func (b *builder) buildScope() {
	switch {
	case !b.spec.Boolean(spec.PropKeepIdentity):
	case b.in.Mode == spec.ModeDeploy && b.spec.Image == spec.NoImage:
		b.spec.Asked = true
	case b.in.Mode == spec.ModeDeploy || b.in.Mode == spec.ModeCustomize && !b.in.Asked && len(b.in.Only) == 0:
		b.reportProperty(problem.Warning, ErrIgnored, spec.PropKeepIdentity, "KEEP_IDENTITY has no effect here", "it is for img_id null")
	}
}

// checkAsked refuses a customization that would do nothing.
func (b *builder) checkAsked() {
	if b.in.Mode != spec.ModeCustomize || !b.spec.Asked || b.spec.ExcludeAll() || b.problems.Err() != nil || len(b.spec.Tasks()) > 0 {
		return
	}
	b.Report(problem.Problem{
		Severity: problem.Error, Rule: ErrNothingAsked, Message: "nothing is asked for",
		Remedy: "say what is to be changed (--name, --password-file, --authorized-keys, --nic, --file, --grow, --new-identity …), or run every task with --all",
	})
}
