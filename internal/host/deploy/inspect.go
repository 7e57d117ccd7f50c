package deploy

import (
	"context"
	"errors"
	"os"

	"snf-image/internal/host/confine"
	"snf-image/internal/host/fetch"
	"snf-image/internal/host/session"
	"snf-image/internal/host/source"
	"snf-image/internal/host/vm"
	"snf-image/internal/host/worker"
	"snf-image/internal/report"
	"snf-image/internal/spec"
)

// Watch is where it is told how far the unpacking of an image is.
type Watch struct {
	Sink report.Sink
	// Progress, when not nil, is called a few times a second.
	Progress func(worker.Progress)
}

// Inspect lets the helper look at the image or disk at path. Nothing is
// written: the helper gets a descriptor that is open for reading only.
func Inspect(ctx context.Context, set session.Settings, path string, watch Watch) (*report.Inspection, error) {
	if fetch.IsURL(path) {
		return nil, &report.Failure{
			Kind: report.Usage, What: "inspecting", On: fetch.Mask(path),
			Cause: errors.New("an image has to be here to be inspected"), Remedy: "download it and name the file",
		}
	}
	ids, err := confine.Identify(set.Config.HelperUser)
	if err != nil {
		return nil, err
	}
	image, err := source.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = image.Close() }()
	s, err := session.Open(set.Quiet(ids.Helper))
	if err != nil {
		return nil, err
	}
	defer s.Close()
	g, err := lookAt(ctx, image, spec.Auto, ids)
	if err != nil {
		return nil, err
	}
	disk, err := unpack(ctx, set, image, g, ids, watch)
	if err != nil {
		return nil, err
	}
	defer disk.Close() //nolint:errcheck // only read
	in, err := inspectDisk(ctx, s, set, path, disk)
	if err != nil {
		return nil, err
	}
	in.Format, in.Layers = string(g.Format), g.Layers
	return in, nil
}

// inspectDisk has a helper look at the disk of the image at path.
func inspectDisk(ctx context.Context, s *session.Session, set session.Settings, path string, disk *os.File) (*report.Inspection, error) {
	if err := s.Admit(ctx); err != nil {
		return nil, err
	}
	plan := session.NewPlan(&spec.Spec{Mode: spec.ModeInspect, Image: path, Disks: []spec.Disk{{Path: path, ReadOnly: true}}}, set.Config)
	h, err := s.Start(ctx, session.Work{
		Plan: plan, Disks: []vm.Disk{{File: disk, Serial: plan.Disks[0].Serial, ReadOnly: true}},
		On: path, Limit: set.Config.HelperSoftTimeout,
	})
	if err != nil {
		return nil, err
	}
	defer h.Stop()
	in, err := look(ctx, h, path)
	if err != nil {
		return nil, h.Explain(err)
	}
	return in, nil
}

// look has the helper inspect the image at path.
func look(ctx context.Context, h *session.Helper, path string) (*report.Inspection, error) {
	ctx, cancel := h.Bound(ctx)
	defer cancel()
	var found onlooker
	result, err := h.Converse(ctx, 0, &found)
	if err == nil {
		err = h.Own(result)
	}
	if err != nil {
		return nil, err
	}
	if result.Error != "" {
		return nil, &report.Failure{
			Kind: report.Image, What: "inspecting", On: path,
			Cause: errors.New(report.Clean(result.Error)), Remedy: report.Clean(result.Remedy),
		}
	}
	return found.Inspection, nil
}

// onlooker listens to a helper that changes nothing.
type onlooker struct{ *report.Inspection }

var _ session.Listener = (*onlooker)(nil)

// Inspected keeps what the helper found.
func (o *onlooker) Inspected(in *report.Inspection) (*spec.Credentials, error) {
	o.Inspection = in
	return nil, nil
}

// Event ignores an event.
func (o *onlooker) Event(report.Event) {}
