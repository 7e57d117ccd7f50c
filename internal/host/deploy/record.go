package deploy

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"snf-image/internal/host/credentials"
	"snf-image/internal/host/fetch"
	"snf-image/internal/host/helper"
	"snf-image/internal/host/session"
	"snf-image/internal/host/target"
	"snf-image/internal/host/trust"
	"snf-image/internal/report"
	"snf-image/internal/spec"
)

// record collects the report of a deployment while it runs.
type record struct {
	report.Deployment
	start time.Time
	cpu   time.Duration // of the helper, up to the last step recorded
	begun time.Time     // when the last task began
}

func newRecord(req Request) *record {
	now := time.Now()
	return &record{start: now, Deployment: report.Deployment{
		Version: req.Release, Mode: string(req.Spec.Mode), Name: req.Spec.Name, Started: now.UTC(),
		Warnings: slices.Clone(req.Warnings),
	}}
}

// end completes the report with the outcome.
func (rec *record) end(err error) *report.Deployment {
	rec.Seconds = time.Since(rec.start).Seconds()
	rec.Success = err == nil
	if err != nil {
		rec.Fail(err)
	}
	return &rec.Deployment
}

func (rec *record) timing(step string, start time.Time) {
	rec.Timings = append(rec.Timings, report.Timing{Step: step, Seconds: time.Since(start).Seconds()})
}

// used records the CPU time of the helper's step that ends now; total is what the
// helper has used since its start.
func (rec *record) used(step string, total time.Duration) {
	rec.Timings = append(rec.Timings, report.Timing{Step: "helper CPU: " + step, Seconds: (total - rec.cpu).Seconds()})
	rec.cpu = total
}

func (rec *record) openedDisk(d *target.Disk) {
	rec.Disk = report.DiskWritten{Path: d.Path, Size: d.Size}
}

func (rec *record) copied(c copied) {
	rec.Timings = append(rec.Timings, report.Timing{Step: "copy", Seconds: c.took.Seconds()})
	rec.confined("worker", c.layers)
	rec.Image.Digest = "blake3-blocks:" + c.result.Digest
	rec.Image.Size, rec.Image.DataBytes = c.result.ImageBytes, c.result.DataBytes
	rec.Disk.Wiped = string(c.result.Wiped)
}

// proved records what proves the image, as far as that is known.
func (rec *record) proved(p trust.Proof) {
	v := &report.Verification{
		Demand: string(p.Demand), DemandedBy: report.Clean(p.DemandedBy), Proof: string(p.Kind), GivenBy: report.Clean(p.By),
		Sums: report.Clean(fetch.Mask(p.Sums)), Signature: report.Clean(fetch.Mask(p.Signature)),
		Key: p.Signer.Key, Owner: report.Clean(p.Signer.Name), Bound: p.Bound,
	}
	if p.Digest != "" {
		v.Digest = p.Algorithm + ":" + p.Digest
	}
	if !p.Signer.Date.IsZero() {
		v.Signed = &p.Signer.Date
	}
	rec.Image.Verification = v
}

// started records a helper that said hello.
func (rec *record) started(h *session.Helper) {
	rec.Helper.Accelerator, rec.Helper.Reason = string(h.Accelerator), h.Choice.Why
	rec.confined("helper", h.Layers())
	rec.used("boot", h.CPU())
}

func (rec *record) openedHelper(m *helper.Manifest) {
	rec.Helper = &report.HelperUsed{Version: m.Release, Digests: map[string]string{
		"vmlinux": "sha256:" + m.Vmlinux.Digest, "initramfs": "sha256:" + m.Initramfs.Digest, "contents": "sha256:" + m.Contents,
	}}
}

// confined adds layers of confinement, each led by what they are around.
func (rec *record) confined(what string, layers []string) {
	if rec.Helper == nil {
		rec.Helper = new(report.HelperUsed)
	}
	for _, l := range layers {
		rec.Helper.Confinement = append(rec.Helper.Confinement, what+": "+l)
	}
}

// finished takes the tasks and the changed files from the agent's word.
func (rec *record) finished(result *report.Result) {
	bounded := report.BoundResult(*result)
	rec.Tasks = bounded.Tasks
	if bounded.Changed != nil { // all of them
		rec.Changed = bounded.Changed
	}
	for _, t := range bounded.Tasks {
		for _, w := range t.Warnings {
			rec.Warnings = append(rec.Warnings, t.Name+": "+w)
		}
	}
}

// installedKeys records the host keys so that the first login can be verified:
// fingerprints, and known_hosts lines for the names the machine will have.
func (rec *record) installedKeys(keys []spec.HostKey, s *spec.Spec) error {
	for _, k := range keys {
		print, err := credentials.Fingerprint(k.Public)
		if err != nil {
			return fmt.Errorf("taking the fingerprint of the %s host key: %w", k.Type, err)
		}
		rec.HostKeys = append(rec.HostKeys, report.HostKeyPrint{Type: k.Type, Fingerprint: print})
	}
	names := hostNames(s)
	if len(names) == 0 || len(keys) == 0 {
		return nil
	}
	lines, err := credentials.KnownHosts(names, keys)
	rec.KnownHosts = lines
	return err
}

// hostNames are the name of the instance and its addresses.
func hostNames(s *spec.Spec) []string {
	var names []string
	if s.Name != "" {
		names = append(names, s.Name)
	}
	for _, n := range s.NICs {
		for _, text := range []string{n.IP, n.IP6} {
			if a, err := netip.ParseAddr(text); err == nil {
				names = append(names, a.String())
			}
		}
	}
	return names
}

// taskFailure turns a result with an error into the failure the administrator
// sees. Before the first task the image is the cause, if there is one.
func (r *run) taskFailure(result *report.Result) error {
	bounded := report.BoundResult(*result)
	f := &report.Failure{
		Kind: report.Task, What: "customizing the machine", On: r.object(),
		Cause: errors.New(bounded.Error), Remedy: bounded.Remedy,
	}
	for _, t := range bounded.Tasks {
		if t.Outcome == report.Failed {
			f.What = "running task " + t.Name
			f.Cause = errors.New(strings.TrimPrefix(bounded.Error, t.Name+": ")) // once is enough
			return r.outOfTime(result, f)
		}
	}
	if !r.living() && r.record.System == nil {
		f.Kind, f.What, f.On = report.Image, "inspecting the image", r.record.Image.ID
	}
	return r.outOfTime(result, f)
}

// outOfTime makes f the failure of a time limit if that is why the helper stopped.
func (r *run) outOfTime(result *report.Result, f *report.Failure) *report.Failure {
	if result.TimedOut {
		f.Kind, f.Remedy = report.Timeout, session.RaiseTimeout
		f.Cause = fmt.Errorf("%w (HELPER_SOFT_TIMEOUT is %s)", f.Cause, r.Config.HelperSoftTimeout)
	}
	return f
}
