// Package doctor examines whether this node is fit to deploy.
package doctor

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"snf-image/internal/command"
	"snf-image/internal/host/confine"
	"snf-image/internal/host/helper"
	"snf-image/internal/host/nbd"
	"snf-image/internal/host/ownership"
	"snf-image/internal/host/session"
	"snf-image/internal/host/vm"
	"snf-image/internal/host/worker"
	"snf-image/internal/report"
	"snf-image/internal/spec"
)

// Grade is how fit a node is in one respect.
type Grade string

// The grades.
const (
	Good    Grade = "ok"
	Lacking Grade = "warning" // deployments work, but not as well as they could
	Unfit   Grade = "unfit"   // deployments fail
)

// Finding is what Examine found in one respect.
type Finding struct {
	Subject string `json:"subject"`
	Grade   Grade  `json:"grade"`
	Text    string `json:"text"`
	err     error
}

// Examine examines whether this node is fit to deploy, up to booting the helper. It
// returns the first failure besides all findings.
func Examine(ctx context.Context, set session.Settings) ([]Finding, error) {
	c := set.Config
	ids, standing := privilege(c.HelperUser)
	findings := []Finding{
		standing, program(c.QEMU), remoteDisks(), memory(set.Node, c.HelperMemory), space(c.HelperDir),
		directories(map[string]string{"HELPER_DIR": c.HelperDir, "IMAGE_DIR": c.ImageDir}),
	}
	findings = append(findings, keys(time.Now(), c.KeyringDir, c.VendorKeysDir)...)
	findings = append(findings, entries(c.Arch, c.CatalogueDirs)...)
	if standing.Grade != Unfit { // else the helper would run as we do
		findings = append(findings, helperBoots(ctx, set.Quiet(ids.Helper))...)
		findings = append(findings, workerStarts(ctx, ids.Worker))
		if layers, missing, err := nbd.Examine(ctx, ids.Server); err == nil { // else remoteDisks has told
			findings = append(findings, confined(nbd.Tool, layers, missing))
		}
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

func privilege(helperUser string) (confine.Identities, Finding) {
	ids, err := confine.Identify(helperUser)
	if err != nil {
		return ids, unfit("privilege", err)
	}
	if ids.Warning != "" {
		return ids, Finding{Subject: "privilege", Grade: Lacking, Text: ids.Warning}
	}
	return ids, Finding{Subject: "privilege", Grade: Good, Text: "root: worker and helper get uids of their own"}
}

func program(name string) Finding {
	path, err := session.FindQEMU(name)
	if err != nil {
		return unfit("QEMU", err)
	}
	out, err := command.Run(context.Background(), command.Cmd{Args: []string{path, "--version"}})
	if err != nil {
		return unfit("QEMU", fmt.Errorf("asking %s for its version: %w", path, err))
	}
	first, _, _ := strings.Cut(string(out), "\n")
	return Finding{Subject: "QEMU", Grade: Good, Text: path + ", " + report.Clean(first)}
}

// remoteDisks looks for the program that disks need which only a URI names. Most nodes
// have no such disks.
func remoteDisks() Finding {
	path, err := command.Find(nbd.Tool)
	if err != nil {
		return Finding{Subject: "disks by URI", Grade: Lacking, Text: err.Error() + "; for disks that have no path, install qemu-utils"}
	}
	return Finding{Subject: "disks by URI", Grade: Good, Text: path}
}

// memory compares what is available with what a helper takes.
func memory(n session.Node, helperMiB int) Finding {
	m, err := n.Memory()
	if err != nil {
		return unfit("memory", err)
	}
	need := helperMiB + session.Reserve
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

// directories looks for directories of the configuration that others than root may
// change: root refuses a helper image there, and images there are whatever others make
// them. HELPER_DIR lies below IMAGE_DIR by default.
func directories(named map[string]string) Finding {
	var refused []string
	for _, name := range slices.Sorted(maps.Keys(named)) {
		if err := ownership.Check(named[name]); errors.Is(err, ownership.ErrOthers) {
			refused = append(refused, name+": "+err.Error())
		}
	}
	if os.Geteuid() != 0 {
		return Finding{Subject: "directories", Grade: Good, Text: "not root: who may change them is not examined"}
	}
	if len(refused) > 0 {
		return Finding{Subject: "directories", Grade: Lacking, Text: strings.Join(refused, "; ") + "; " + ownership.Remedy}
	}
	return Finding{Subject: "directories", Grade: Good, Text: strings.Join(slices.Sorted(maps.Keys(named)), " and ") + " are changed by root alone"}
}

// helperBoots verifies the helper image and boots it until it says hello, which
// is the only proof that KVM runs an ordinary kernel.
func helperBoots(ctx context.Context, o session.Options) []Finding {
	s, err := session.Open(o)
	if err != nil {
		return []Finding{unfit("helper image", err)}
	}
	defer s.Close()
	m := s.Manifest()
	findings := []Finding{{
		Subject: "helper image", Grade: Good,
		Text: fmt.Sprintf("release %s, %s, kernel %s, %s of %s, intact", m.Release, m.Flavour, m.Kernel, m.Suite, m.Newest),
	}}
	for _, w := range append(s.Warnings(), withRemedy(m.Concerns(time.Now()), o.Config.HelperPkg)...) {
		findings = append(findings, Finding{Subject: "helper image", Grade: Lacking, Text: w})
	}
	if err := s.Forget(); err != nil {
		findings = append(findings, Finding{Subject: "helper", Grade: Lacking, Text: err.Error()})
	}
	h, err := s.Start(ctx, session.Work{Plan: session.NewPlan(&spec.Spec{Mode: spec.ModeInspect}, o.Config)})
	if err != nil {
		return append(findings, unfit("helper", err))
	}
	defer h.Stop()
	return append(findings, accelerated(h.Accelerator, h.Choice), confined("helper", h.Layers(), h.Missing()))
}

// workerStarts has an image worker look at a disk of zeros.
func workerStarts(ctx context.Context, as *syscall.Credential) Finding {
	const name, size = "image worker", 1 << 20 // less could be an archive without members
	fd, err := unix.MemfdCreate("image", unix.MFD_CLOEXEC)
	if err != nil {
		return unfit(name, err)
	}
	image := os.NewFile(uintptr(fd), "image")
	defer func() { _ = image.Close() }()
	if err := image.Truncate(size); err != nil {
		return unfit(name, err)
	}
	job := worker.Job{Action: worker.Look, Format: spec.Raw, Stored: size, From: image, Geometry: func(worker.Geometry) error { return nil }}
	if as != nil {
		job.UID, job.GID = as.Uid, as.Gid
	}
	w, err := worker.Start(ctx, job)
	if err == nil {
		_, err = w.Wait()
	}
	if err != nil {
		return unfit(name, err)
	}
	return confined(name, w.Layers(), w.Missing())
}

// confined lists the layers around a child, or those the node refused it.
func confined(child string, layers, missing []string) Finding {
	if len(missing) == 0 {
		return Finding{Subject: "confinement", Grade: Good, Text: child + ": " + strings.Join(layers, ", ")}
	}
	text := child + ": this node refuses " + strings.Join(missing, ", ")
	if os.Geteuid() == 0 {
		text += "; a container needs CAP_SYS_ADMIN for namespaces"
	} else {
		text += "; user namespaces must be allowed (user.max_user_namespaces, and AppArmor where it restricts them)"
	}
	return Finding{Subject: "confinement", Grade: Lacking, Text: text}
}

// accelerated names the accelerator the helper ran on and, where that was not KVM, what to do.
func accelerated(a vm.Accelerator, choice vm.Choice) Finding {
	f := Finding{Subject: "helper", Grade: Good, Text: fmt.Sprintf("boots with %s: %s", a, choice.Why)}
	if choice.Remedy != "" {
		f.Grade = Lacking
		f.Text += "; deployments take some seconds more. For KVM: " + choice.Remedy
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
