package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"snf-image/internal/host/builder"
	"snf-image/internal/host/config"
	"snf-image/internal/host/diskuri"
	"snf-image/internal/host/fetch"
	"snf-image/internal/host/problem"
	"snf-image/internal/host/values"
	"snf-image/internal/report"
	"snf-image/internal/spec"
)

// Bounds of the files flags name, in bytes.
const (
	maxSecretFile = 1 << 20
	maxJSONFile   = 32 << 20
	maxInjected   = 8 << 20 // all of them together must fit channel.MaxDown as base64
)

// spec builds the validated Spec. Every problem is printed, not only the first.
func (a *app) spec(ctx context.Context, mode spec.Mode, p *parameterFlags, cfg *config.Config, client *fetch.Client) (*spec.Spec, error) {
	wanted := p.params
	p, unread := p.readable()
	if p.params != wanted { // what else is missing may stand there
		return nil, a.invalid("checking the parameters", unread)
	}
	params, err := a.collect(ctx, mode, p, cfg, client)
	if err != nil {
		return nil, err
	}
	for _, problem := range unread {
		params.Report(problem)
	}
	in := builder.Input{
		Mode: mode, Name: p.name, NameOrigin: "--name", DiskOrigin: "--disk", NICOrigin: "--nic",
		Size: p.size, DiskFormat: p.diskFormat, NICFlags: p.nics, DefaultFormat: spec.DiskDump, ImagePaths: true, DefaultNIC: true,
		Asked: p.onlyAsked(mode), NewIdentity: p.newIdentity, Grow: p.grow,
	}
	for _, text := range p.disks {
		in.Disks = append(in.Disks, diskNamed(text))
	}
	if p.unread && configURL(params) != "" {
		in.Mode = spec.ModeCheck // the rest may come from there
	}
	s, problems := builder.Build(params, in)
	if params.Fetched(spec.OSAnswerFile) {
		problems = checkURLs(client, params, problems, spec.OSAnswerFile)
	}
	for _, w := range problems.Warnings() {
		a.log.Warn(w.Error())
	}
	return s, a.invalid("checking the parameters", problems)
}

// diskNamed is the disk a flag names: a path, unless only a URI can be meant.
func diskNamed(text string) spec.Disk {
	if _, err := os.Lstat(text); err != nil && diskuri.Is(text) {
		return spec.Disk{URI: text}
	}
	return spec.Disk{Path: text}
}

// invalid logs every error in problems and makes one failure of them.
func (a *app) invalid(what string, problems problem.List) error {
	errs := problems.Errors()
	if len(errs) == 0 {
		return nil
	}
	first := errs[0]
	if len(errs) == 1 {
		return &report.Failure{Kind: report.Usage, What: what, On: first.Where(), Cause: errors.New(first.Message), Remedy: first.Remedy}
	}
	for _, e := range errs {
		a.log.Error(e.Error())
	}
	return &report.Failure{
		Kind: report.Usage, What: what, On: first.Where(),
		Cause: fmt.Errorf("%s, and %d more problems", first.Message, len(errs)-1), Remedy: "mend what the lines above name",
	}
}

// collect reads what the flags name. Flags win over --params, it over config_url,
// that over the configuration.
func (a *app) collect(ctx context.Context, mode spec.Mode, p *parameterFlags, cfg *config.Config, client *fetch.Client) (*builder.Parameters, error) {
	params, err := a.given(ctx, p)
	if err != nil {
		return nil, err
	}
	lower := configured(cfg, p.onlyAsked(mode))
	if err := a.fetched(ctx, p, params, lower, client); err != nil {
		return nil, err
	}
	params.Inherit(lower)
	return params, nil
}

// fetched adds to lower what config_url delivers. What is wrong without it keeps
// it from being asked for: the server may answer but once.
func (a *app) fetched(ctx context.Context, p *parameterFlags, params, lower *builder.Parameters, client *fetch.Client) error {
	all := new(builder.Parameters)
	all.Inherit(params)
	all.Inherit(lower)
	url := configURL(all)
	switch {
	case url == "", p.unread: // what will not be used is not fetched
		return nil
	case p.dryRun:
		a.log.Warn("config_url is not fetched in a dry run: what it would set is missing here")
		return nil
	}
	_, problems := builder.Build(all, builder.Input{Mode: spec.ModeCheck})
	if err := a.invalid("checking the parameters", problems); err != nil {
		return err
	}
	return addConfig(ctx, client, lower, url)
}

// given reads what the flags name.
func (a *app) given(ctx context.Context, p *parameterFlags) (*builder.Parameters, error) {
	params := new(builder.Parameters)
	if p.params != "" {
		text, err := a.readFile(ctx, "--params", p.params, maxJSONFile)
		if err != nil {
			return nil, err
		}
		params.AddJSON(text, problem.Origin(p.params))
	}
	for _, v := range []struct{ flag, name, text string }{
		{"--image", spec.ImgID, p.image},
		{"--format", spec.ImgFormat, p.format},
		{"--config-url", spec.ConfigURL, p.configURL},
		{"--answer-file", spec.OSAnswerFile, p.answerFile},
	} {
		if v.text != "" {
			params.Set(v.name, v.text, problem.Origin(v.flag))
		}
	}
	if err := a.collectFiles(ctx, p, params); err != nil {
		return nil, err
	}
	for _, text := range p.properties {
		name, value, ok := strings.Cut(text, "=")
		if !ok || name == "" {
			return nil, flagFailure("--property", fmt.Errorf("%q is not NAME=VALUE", text))
		}
		params.SetProperty(name, value, "--property")
	}
	return params, a.collectInjected(ctx, p, params)
}

// collectFiles sets the parameters whose values stand in files.
func (a *app) collectFiles(ctx context.Context, p *parameterFlags, params *builder.Parameters) error {
	line := func(b []byte) string {
		first, _, _ := strings.Cut(string(b), "\n")
		return strings.TrimSuffix(first, "\r")
	}
	whole := func(b []byte) string { return string(b) }
	for _, v := range []struct {
		flag, name, path string
		limit            int64
		text             func([]byte) string
	}{
		{"--password-file", spec.ImgPasswd, p.passwordFile, maxSecretFile, line},
		{"--password-hash-file", spec.ImgPasswdHash, p.hashFile, maxSecretFile, line},
		{"--personality", spec.ImgPersonality, p.personality, maxJSONFile, whole},
		{"--product-key-file", spec.OSProductKey, p.productKeyFile, maxSecretFile, line},
		{"--user-data", spec.CloudUserdata, p.userDataFile, maxJSONFile, base64Of},
	} {
		if v.path == "" {
			continue
		}
		b, err := a.readFile(ctx, v.flag, v.path, v.limit)
		if err != nil {
			return err
		}
		params.Set(v.name, v.text(b), problem.Origin(v.flag+" "+v.path))
	}
	return a.collectKeys(ctx, p, params)
}

// collectKeys reads the files of --authorized-keys, which are one list.
func (a *app) collectKeys(ctx context.Context, p *parameterFlags, params *builder.Parameters) error {
	var keys strings.Builder
	for _, path := range p.keysFiles {
		b, err := a.readFile(ctx, "--authorized-keys", path, maxSecretFile)
		if err != nil {
			return err
		}
		keys.WriteString(string(b) + "\n")
	}
	if len(p.keysFiles) > 0 {
		params.Set(spec.AuthKeys, keys.String(), problem.Origin("--authorized-keys "+strings.Join(p.keysFiles, " ")))
	}
	return nil
}

// collectInjected reads the files of --file.
func (a *app) collectInjected(ctx context.Context, p *parameterFlags, params *builder.Parameters) error {
	for _, text := range p.files {
		f, err := values.ParseFileFlag(text)
		if err != nil {
			return flagFailure("--file", err)
		}
		b, err := a.readFile(ctx, "--file", f.Source, maxInjected)
		if err != nil {
			return err
		}
		f.File.Contents = b
		params.AddFile(f.File, problem.Origin("--file "+f.Source))
	}
	return nil
}

// readFile reads a file a flag names; "-" is standard input. It returns when ctx
// ends, too: a FIFO or a terminal may never say anything.
func (a *app) readFile(ctx context.Context, flag, path string, limit int64) ([]byte, error) {
	type result struct {
		b   []byte
		err error
	}
	done := make(chan result, 1)
	go func() {
		b, err := a.readAll(path, limit)
		done <- result{b, err}
	}()
	select {
	case r := <-done:
		if r.err != nil {
			return nil, flagFailure(flag+" "+path, report.Bare(r.err))
		}
		return r.b, nil
	case <-ctx.Done():
		return nil, flagFailure(flag+" "+path, context.Cause(ctx))
	}
}

// readAll reads the file path to its end, which is limit bytes away at most.
func (a *app) readAll(path string, limit int64) ([]byte, error) {
	r := a.stdin
	if path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return nil, err
		}
		defer func() { _ = f.Close() }()
		r = f
	}
	b, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err == nil && int64(len(b)) > limit {
		err = fmt.Errorf("it is longer than %d bytes", limit)
	}
	return b, err
}

func flagFailure(flag string, err error) error {
	return &report.Failure{Kind: report.Usage, What: "reading the command line", On: flag, Cause: err}
}
