package deploy

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"snf-image/internal/command"
	"snf-image/internal/host/helper"
	"snf-image/internal/host/nbd"
	"snf-image/internal/report"
	"snf-image/internal/spec"
)

// Grade says how a node stands in one respect.
type Grade string

// The grades.
const (
	Good    Grade = "ok"
	Lacking Grade = "warning" // deployments work, but not as well as they could
	Unfit   Grade = "unfit"   // deployments fail
)

// Finding is what Doctor found in one respect.
type Finding struct {
	Subject string `json:"subject"`
	Grade   Grade  `json:"grade"`
	Text    string `json:"text"`
	err     error
}

// Doctor looks whether this node is fit to deploy, up to booting the helper. It
// returns the first failure besides all findings.
func Doctor(ctx context.Context, req Request) ([]Finding, error) {
	req.Spec = &spec.Spec{Mode: spec.ModeInspect}
	r := &run{Request: req, record: newRecord(req)}
	defer r.close()
	findings := []Finding{r.privilege(), r.program(), remoteDisks(), memory(r.Config.HelperMemory), space(r.Config.HelperDir)}
	if findings[0].Grade != Unfit { // else the helper would run as we do
		findings = append(findings, r.helperBoots(ctx)...)
	}
	for _, f := range findings {
		if f.Grade == Unfit {
			return findings, f.err
		}
	}
	return findings, nil
}

// unfit makes a finding of an error, a Failure of the node unless it is one.
func unfit(subject string, err error) Finding {
	if _, ok := errors.AsType[*report.Failure](err); !ok {
		err = &report.Failure{Kind: report.Node, What: "examining this node", On: subject, Cause: err}
	}
	return Finding{Subject: subject, Grade: Unfit, Text: err.Error(), err: err}
}

func (r *run) privilege() Finding {
	ids, err := identify(r.Config.HelperUser)
	if err != nil {
		return unfit("privilege", err)
	}
	if r.ids = ids; ids.warning != "" {
		return Finding{Subject: "privilege", Grade: Lacking, Text: ids.warning}
	}
	return Finding{Subject: "privilege", Grade: Good, Text: "root: worker and helper get uids of their own"}
}

func (r *run) program() Finding {
	path, err := command.Find(r.Config.QEMU)
	if err != nil {
		return unfit("QEMU", &report.Failure{
			Kind: report.Node, What: "looking for QEMU", On: r.Config.QEMU, Cause: err,
			Remedy: "install qemu-system-x86, or name the program with KVM in the configuration file",
		})
	}
	out, err := command.Run(context.Background(), command.Cmd{Args: []string{path, "--version"}})
	if err != nil {
		return unfit("QEMU", fmt.Errorf("asking %s for its version: %w", path, err))
	}
	first, _, _ := strings.Cut(string(out), "\n")
	return Finding{Subject: "QEMU", Grade: Good, Text: path + ", " + report.Clean(first)}
}

// remoteDisks looks for what disks take that only a URI names; most nodes have none.
func remoteDisks() Finding {
	path, err := command.Find(nbd.Tool)
	if err != nil {
		return Finding{Subject: "disks by URI", Grade: Lacking, Text: err.Error() + "; for disks that have no path, install qemu-utils"}
	}
	return Finding{Subject: "disks by URI", Grade: Good, Text: path}
}

// memory compares what is available with what a helper takes.
func memory(helperMiB int) Finding {
	m, err := thisNode().Memory()
	if err != nil {
		return unfit("memory", err)
	}
	need := helperMiB + reserve
	text := fmt.Sprintf("%d MiB available, a deployment takes %d", m.Available, need)
	if m.Available < need {
		return unfit("memory", &report.Failure{
			Kind: report.Node, What: "examining this node", On: "memory", Cause: errors.New(text),
			Remedy: "free memory or lower HELPER_MEMORY (256 is enough for small disks)",
		})
	}
	return Finding{Subject: "memory", Grade: Good, Text: text}
}

// minSpace is what building the helper image takes in HELPER_DIR, in bytes.
const minSpace = 400 << 20

func space(dir string) Finding {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return Finding{Subject: "space", Grade: Lacking, Text: fmt.Sprintf("%s: %v", dir, err)}
	}
	free := int64(st.Bavail) * st.Bsize
	if free < minSpace {
		return Finding{
			Subject: "space", Grade: Lacking,
			Text: fmt.Sprintf("%d MiB free in %s, building a helper image takes %d", free>>20, dir, minSpace>>20),
		}
	}
	return Finding{Subject: "space", Grade: Good, Text: fmt.Sprintf("%d MiB free in %s", free>>20, dir)}
}

// helperBoots verifies the helper image and boots it until it says hello, which
// is the only proof that KVM runs an ordinary kernel.
func (r *run) helperBoots(ctx context.Context) []Finding {
	r.plan = r.Spec.Plan(r.planOptions())
	if err := r.openHelper(); err != nil {
		return []Finding{unfit("helper image", err)}
	}
	m := r.helper.Manifest
	findings := []Finding{{
		Subject: "helper image", Grade: Good,
		Text: fmt.Sprintf("release %s, %s, kernel %s, %s of %s, intact", m.Release, m.Flavour, m.Kernel, m.Suite, m.Newest),
	}}
	for _, w := range append(r.helper.Warnings, withRemedy(m.Concerns(time.Now()), r.Config.HelperPkg)...) {
		findings = append(findings, Finding{Subject: "helper image", Grade: Lacking, Text: w})
	}
	if err := r.verdicts().Forget(); err != nil {
		findings = append(findings, Finding{Subject: "helper", Grade: Lacking, Text: err.Error()})
	}
	h, err := r.bootWith(ctx, nil)
	if err != nil {
		return append(findings, unfit("helper", err))
	}
	h.machine.Stop(killGrace)
	return append(findings, accelerated(h))
}

// accelerated says what the helper ran on and, where that was not KVM, what to do.
func accelerated(h *helperRun) Finding {
	f := Finding{Subject: "helper", Grade: Good, Text: fmt.Sprintf("boots with %s: %s", h.accelerator, h.choice.Why)}
	if h.choice.Remedy != "" {
		f.Grade = Lacking
		f.Text += "; deployments take some seconds more. For KVM: " + h.choice.Remedy
	}
	return f
}

// withRemedy adds to each concern about the helper image how to get a newer one.
func withRemedy(concerns []string, pkg string) []string {
	for i := range concerns {
		concerns[i] += "; get the current helper package or build a new helper image (" + helper.Remedy(pkg) + ")"
	}
	return concerns
}
