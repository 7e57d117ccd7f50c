package deploy

import (
	"context"
	"errors"
	"fmt"

	"snf-image/internal/channel"
	"snf-image/internal/host/fetch"
	"snf-image/internal/host/source"
	"snf-image/internal/host/vm"
	"snf-image/internal/report"
	"snf-image/internal/spec"
)

// Inspect lets the helper look at the image or disk at path. Nothing is
// written: the helper gets a descriptor that is open for reading only.
func Inspect(ctx context.Context, req Request, path string) (*report.Inspection, error) {
	if fetch.IsURL(path) {
		return nil, &report.Failure{
			Kind: report.Usage, What: "inspecting", On: fetch.Mask(path),
			Cause: errors.New("an image has to be here to be inspected"), Remedy: "download it and name the file",
		}
	}
	req.Spec = &spec.Spec{Mode: spec.ModeInspect, Image: path, Disks: []spec.Disk{{Path: path, ReadOnly: true}}}
	r := &run{Request: req, record: newRecord(req)}
	defer r.close()
	var err error
	if r.ids, err = identify(r.Config.HelperUser); err != nil {
		return nil, err
	}
	r.plan = r.Spec.Plan(r.planOptions())
	if err := r.openHelper(); err != nil {
		return nil, err
	}
	if r.image, err = source.Open(path); err != nil {
		return nil, err
	}
	if err := r.admit(ctx); err != nil {
		return nil, err
	}
	h, err := r.bootWith(ctx, []vm.Disk{{File: r.image.File, Serial: r.plan.Disks[0].Serial, ReadOnly: true}})
	if err != nil {
		return nil, err
	}
	defer h.machine.Stop(killGrace)
	return r.look(ctx, h)
}

// look has the helper inspect and end.
func (r *run) look(parent context.Context, h *helperRun) (*report.Inspection, error) {
	ctx, cancel := r.softTimeout(parent)
	defer cancel()
	if err := h.talk.send(ctx, channel.DiskReady, nil); err != nil {
		return nil, r.helperError(err, h)
	}
	in, result, err := h.talk.inspected(ctx)
	if err == nil && result == nil {
		result, err = h.talk.result(ctx, func(report.Event) {})
	}
	if err != nil {
		return nil, r.helperError(err, h)
	}
	if result.Nonce != r.plan.Nonce {
		return nil, r.helperError(&protocolError{errors.New("the helper's result has another run's nonce")}, h)
	}
	if result.Error != "" {
		return nil, &report.Failure{
			Kind: report.Image, What: "inspecting", On: r.Spec.Image,
			Cause: errors.New(report.Clean(result.Error)), Remedy: report.Clean(result.Remedy),
		}
	}
	if in == nil {
		return nil, r.helperError(&protocolError{fmt.Errorf("the helper sent %q where %q was due", channel.Result, channel.Inspected)}, h)
	}
	return boundInspection(in), nil
}
