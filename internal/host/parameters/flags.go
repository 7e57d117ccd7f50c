package parameters

import (
	"context"
	"slices"

	"snf-image/internal/host/builder"
	"snf-image/internal/host/config"
	"snf-image/internal/host/problem"
	"snf-image/internal/host/values"
	"snf-image/internal/spec"
)

// Flags are the values of the flags that say what deploy and customize are to do
// (docs/reference.md, OS parameters). An empty one was not given.
type Flags struct {
	Image, Format, Name, Size string
	DiskFormat                string
	Disks, NICs               []string
	PasswordFile, HashFile    string
	Params                    string
	KeysFiles                 []string
	Properties, Files         []string
	Personality, ConfigURL    string
	ProductKeyFile            string
	AnswerFile, UserDataFile  string
	DryRun                    bool
	Proof                     Proof // deploy only

	All, NewIdentity, Grow bool // customize only

	unread bool // something that flags name, see readable
}

// Inputs returns the files and disks that the flags name.
func (p *Flags) Inputs() []string {
	inputs := slices.Concat(p.Disks, p.KeysFiles, []string{
		p.Image, p.PasswordFile, p.HashFile, p.Params, p.Personality, p.ProductKeyFile, p.UserDataFile, p.AnswerFile,
	})
	for _, text := range p.Files {
		if f, err := values.ParseFileFlag(text); err == nil {
			inputs = append(inputs, f.Source)
		}
	}
	return slices.DeleteFunc(inputs, func(path string) bool { return path == "" })
}

// OfFlags makes the Spec of a command line. Every problem is logged, not only the first.
func (r *Reader) OfFlags(ctx context.Context, mode spec.Mode, p *Flags) (*spec.Spec, error) {
	wanted := p.Params
	p, unread := p.readable()
	if p.Params != wanted { // what else is missing may stand there
		return nil, problem.Refuse(r.Log, "checking the parameters", unread)
	}
	params, err := r.collect(ctx, mode, p)
	if err != nil {
		return nil, err
	}
	for _, found := range unread {
		params.Report(found)
	}
	in := builder.Input{
		Mode: mode, Name: p.Name, NameOrigin: "--name", DiskOrigin: "--disk", NICOrigin: "--nic",
		Size: p.Size, DiskFormat: p.DiskFormat, NICFlags: p.NICs, DefaultFormat: spec.Auto, ImagePaths: true, DefaultNIC: true,
		Asked: p.onlyAsked(mode), NewIdentity: p.NewIdentity, Grow: p.Grow,
	}
	for _, text := range p.Disks {
		in.Disks = append(in.Disks, Disk(text))
	}
	if p.unread && configURL(params) != "" {
		in.Mode = spec.ModeCheck // the rest may come from there
	}
	if mode == spec.ModeDeploy {
		r.resolve(params, true)
	}
	s, problems := builder.Build(params, in)
	if params.Fetched(spec.OSAnswerFile) {
		problems = r.checkURLs(params, problems, spec.OSAnswerFile)
	}
	r.warn(problems)
	return s, problem.Refuse(r.Log, "checking the parameters", problems)
}

// collect reads what the flags name. Flags win over --params, it over config_url,
// that over the configuration.
func (r *Reader) collect(ctx context.Context, mode spec.Mode, p *Flags) (*builder.Parameters, error) {
	params, err := r.given(ctx, p)
	if err != nil {
		return nil, err
	}
	lower := configured(r.Config, p.onlyAsked(mode))
	if err := r.fetched(ctx, p, params, lower); err != nil {
		return nil, err
	}
	params.Inherit(lower)
	return params, nil
}

// onlyAsked reports whether only what the parameters ask for is to be done.
func (p *Flags) onlyAsked(mode spec.Mode) bool { return mode == spec.ModeCustomize && !p.All }

// configured returns the parameters of the configuration files. They are there
// for new machines: of a living one they may say where its system is, but set
// nothing on it.
func configured(cfg *config.Config, onlyAsked bool) *builder.Parameters {
	params := new(builder.Parameters)
	for _, c := range cfg.Parameters {
		switch {
		case !onlyAsked:
			params.Set(c.Name, c.Value, c.Origin)
		case slices.Contains([]string{spec.ImgProperties, spec.InstProperties}, c.Name):
			params.SetHint(c.Name, c.Value, c.Origin)
		}
	}
	return params
}
