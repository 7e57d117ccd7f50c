package deploy

import (
	"context"
	"strings"

	"snf-image/internal/host/confine"
	"snf-image/internal/host/credentials"
	"snf-image/internal/host/diskuri"
	"snf-image/internal/host/session"
	"snf-image/internal/host/target"
	"snf-image/internal/redact"
	"snf-image/internal/report"
	"snf-image/internal/spec"
)

// run is what the flows that change a disk have in common.
type run struct {
	Request
	plan    spec.Plan
	ids     confine.Identities
	disks   disks
	helping helping
	record  *record

	answers  answers
	touched  bool // something may have been written to a disk
	debugged int  // the agent's debug messages so far
	redactor redact.Redactor
}

// living reports whether the disk is one of an installed machine, that is to stay sound.
func (r *run) living() bool { return r.plan.Mode == spec.ModeCustomize }

// object is what the run works on, for people.
func (r *run) object() string { return shown(r.Spec) }

func shown(s *spec.Spec) string {
	if len(s.Disks) == 0 {
		return "" // the rescue shell may have none
	}
	return diskuri.Shown(s.Disks[0])
}

// prepare chooses the identities and tells what the parameters lead to.
func (r *run) prepare() error {
	ids, err := confine.Identify(r.Config.HelperUser)
	if err != nil {
		return err
	}
	if r.ids = ids; ids.Warning != "" {
		r.warn(ids.Warning)
	}
	for _, w := range credentials.CheckAuthorizedKeys(r.Spec.AuthorizedKeys) {
		r.warn("auth_keys: " + w)
	}
	r.redactor.AddSpec(r.Spec)
	if r.Spec.AssumesUsers() {
		r.Log.Info("property USERS is not set: credentials are those of " + strings.Join(r.plan.Users, ", "))
	}
	if r.plan.CloudInit {
		r.Log.Info("property CLOUD_INIT: the image's cloud-init configures the machine at its first boot")
		r.record.CloudInitInstance = r.plan.InstanceID
	}
	return nil
}

// openHelper opens the helper's session if there is a task. It comes after image and disks: of
// a wrong name and a node without a helper image, the name is what is wrong with the command.
func (r *run) openHelper() error {
	if len(r.plan.Tasks) == 0 {
		r.Log.Info("no task is planned, the helper is not needed")
		return nil
	}
	s, err := session.Open(session.Options{
		Settings: r.Settings, User: r.ids.Helper, Warn: r.warn, Redact: r.redactor.Redact,
		Tell: func(text string) { r.Sink.Send(report.Info(text)) },
	})
	if err != nil {
		return err
	}
	r.helping = &helped{run: r, session: s}
	r.record.openedHelper(s.Manifest())
	return nil
}

// openDisks opens the disks of the Spec.
func (r *run) openDisks(ctx context.Context, o target.Options) (err error) {
	o.Server = r.ids.Server
	if r.disks, err = openDisks(ctx, r.Settings, r.Spec, r.plan, o); err != nil {
		return err
	}
	r.record.openedDisk(r.disks[0])
	for _, d := range r.disks {
		layers, missing := d.Confinement()
		r.record.confined("disk server", layers)
		if len(missing) > 0 {
			r.warn(refused("server of "+d.Path, missing))
		}
	}
	return nil
}

// refused returns the warning about a child process that is less confined than it should be.
func refused(what string, layers []string) string {
	return "this node refuses the " + what + " a layer of confinement: " + strings.Join(layers, ", ")
}

// undo takes back the length of disk files, after a run that wrote nothing to them.
func (r *run) undo() {
	for _, d := range r.disks {
		if err := d.Undo(); err != nil {
			r.Log.Warn("taking back the size of " + d.Path + ": " + err.Error())
		}
	}
}

func (r *run) close() {
	r.disks.close()
	r.helping.close()
}

func (r *run) warn(text string) {
	r.Log.Warn(text)
	r.record.Warnings = append(r.record.Warnings, text)
}
