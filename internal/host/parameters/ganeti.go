package parameters

import (
	"context"
	"slices"
	"strings"

	"snf-image/internal/host/builder"
	"snf-image/internal/host/ganeti"
	"snf-image/internal/host/imageref"
	"snf-image/internal/host/problem"
	"snf-image/internal/spec"
)

// Call is a call of an OS script as far as it was read.
type Call struct {
	*ganeti.Call
	// Found is what is wrong with the environment and the configuration.
	Found problem.List
	// Ready reports why the node could not carry out the deployment. It is asked before
	// config_url is fetched.
	Ready func(context.Context, []spec.Disk) error
}

// OfCall makes the Spec of a call of an OS script. Every problem is logged, not only the
// first.
func (r *Reader) OfCall(ctx context.Context, c Call) (*spec.Spec, error) {
	const what = "checking what Ganeti passed"
	params, in := r.passed(c), c.Input
	in.Disks = ByURI(in.Disks)
	for i := range in.Disks { // Ganeti knows no other files
		in.Disks[i].Format = spec.Raw
	}
	if err := r.fetchForCall(ctx, c, params, in.Disks, what); err != nil {
		return nil, err
	}
	if c.Script.Takes(spec.ImgID) {
		r.resolve(params, false)
	}
	s, problems := builder.Build(params, in)
	if c.Script.Takes(spec.ImgID) {
		problems = checkImageName(params, problems)
		if r.Client != nil {
			problems = r.checkURLs(params, problems, spec.ImgID, spec.ConfigURL, spec.OSAnswerFile)
		}
	}
	r.warn(problems)
	return s, problem.Refuse(r.Log, what, problems)
}

// passed collects what the configuration and then Ganeti say.
func (r *Reader) passed(c Call) *builder.Parameters {
	params := new(builder.Parameters)
	for _, p := range c.Found {
		params.Report(p)
	}
	if r.Config != nil {
		for _, p := range r.Config.Parameters {
			if c.Script.Takes(p.Name) {
				params.Set(p.Name, p.Value, p.Origin)
			}
		}
	}
	for _, p := range c.Parameters {
		params.Set(p.Name, p.Value.Reveal(), p.Origin)
	}
	return params
}

// fetchForCall adds the parameters of config_url. Only create fetches them, and not when
// it will fail anyway: some servers answer once.
func (r *Reader) fetchForCall(ctx context.Context, c Call, params *builder.Parameters, disks []spec.Disk, what string) error {
	url := configURL(params)
	if r.Client == nil || c.Script != ganeti.Create || url == "" || len(c.Found.Errors()) > 0 {
		return nil
	}
	_, problems := builder.Build(params, builder.Input{Mode: spec.ModeCheck})
	if err := problem.Refuse(r.Log, what, problems); err != nil {
		return err
	}
	if err := c.Ready(ctx, disks); err != nil {
		return err
	}
	return r.addConfig(ctx, params, url)
}

// checkImageName adds what is wrong with the name of an image that lies in
// IMAGE_DIR, unless something is said about it already.
func checkImageName(params *builder.Parameters, problems problem.List) problem.List {
	id, ok := params.Lookup(spec.ImgID)
	said := slices.ContainsFunc(problems.Errors(), func(p problem.Problem) bool { return p.Path == spec.ImgID })
	if !ok || said || id.Reveal() == "" {
		return problems
	}
	ref, err := imageref.Parse(strings.TrimSpace(id.Reveal()))
	if err == nil && (ref.Kind == imageref.Bare || ref.Kind == imageref.Stored) {
		_, err = ref.InStore()
	}
	if err != nil {
		problems = append(problems, problem.Problem{
			Severity: problem.Error, Path: spec.ImgID, Message: err.Error(),
			Remedy: "set it to the name of a file in IMAGE_DIR, local://NAME, catalogue:NAME or null", Rule: builder.ErrImage,
		})
	}
	return problems
}
