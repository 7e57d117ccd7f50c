package parameters

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"strings"

	"snf-image/internal/host/builder"
	"snf-image/internal/host/config"
	"snf-image/internal/host/fetch"
	"snf-image/internal/host/problem"
	"snf-image/internal/report"
	"snf-image/internal/spec"
)

// NewClient returns what opens URLs, as the configuration allows. It calls itself agent.
func NewClient(cfg *config.Config, agent string) (*fetch.Client, error) {
	c, err := fetch.New(fetch.Options{
		Allow: cfg.AllowURL, HTTPProxy: cfg.HTTPProxy, HTTPSProxy: cfg.HTTPSProxy, NoProxy: strings.Join(cfg.NoProxy, ","),
		CAFile: cfg.TLSCAFile, Agent: agent,
		Limit: cfg.TransferTimeout, Rate: int64(cfg.TransferMinRate) << 10,
	})
	if err != nil {
		return nil, &report.Failure{Kind: report.Usage, What: "reading the configuration", Cause: err}
	}
	return c, nil
}

// configURL returns the value of config_url; empty means that it is not set.
func configURL(params *builder.Parameters) string {
	url, _ := params.Lookup(spec.ConfigURL)
	return strings.TrimSpace(url.Reveal())
}

// addConfig adds to params what url delivers. It asks once: some servers answer once.
func (r *Reader) addConfig(ctx context.Context, params *builder.Parameters, url string) error {
	failure := func(err error, remedy string) error {
		return &report.Failure{Kind: report.Usage, What: "fetching the parameters of config_url", On: fetch.Mask(url), Cause: err, Remedy: remedy}
	}
	if err := r.Client.Check(url); err != nil { // what is not a URL cannot be masked like one
		return &report.Failure{Kind: report.Usage, What: "fetching the parameters", On: spec.ConfigURL, Cause: err, Remedy: urlRemedy(err)}
	}
	stream, err := r.Client.Open(ctx, url)
	if err != nil {
		return failure(err, urlRemedy(err))
	}
	defer stream.Close() //nolint:errcheck // all of it was read, or it failed
	b, err := io.ReadAll(io.LimitReader(stream, maxJSONFile+1))
	if err != nil {
		return failure(err, urlRemedy(err))
	}
	if len(b) > maxJSONFile {
		return failure(fmt.Errorf("it is longer than %d bytes", maxJSONFile), "look at what the server sends")
	}
	params.AddFetched(b, problem.Origin(fetch.Mask(url)))
	return nil
}

// urlRemedy returns what to do about a URL that cannot be opened.
func urlRemedy(err error) string {
	return cmp.Or(fetch.Remedy(err), "check the URL, and whether this node reaches the server")
}

// checkURLs adds what can be said about the URLs among the named params without
// opening them.
func (r *Reader) checkURLs(params *builder.Parameters, problems problem.List, names ...string) problem.List {
	for _, name := range names {
		value, ok := params.Lookup(name)
		text := strings.TrimSpace(value.Reveal())
		if !ok || text == "" || name == spec.ImgID && !fetch.IsURL(text) {
			continue
		}
		if err := r.Client.Check(text); err != nil {
			problems = append(problems, problem.Problem{
				Severity: problem.Error, Path: name, Message: err.Error(), Remedy: urlRemedy(err), Rule: builder.ErrURL,
			})
		}
	}
	return problems
}

// fetched adds to lower what config_url delivers. It is fetched only if everything
// else is valid, because some servers answer once.
func (r *Reader) fetched(ctx context.Context, p *Flags, params, lower *builder.Parameters) error {
	all := new(builder.Parameters)
	all.Inherit(params)
	all.Inherit(lower)
	url := configURL(all)
	switch {
	case url == "", p.unread: // what will not be used is not fetched
		return nil
	case p.DryRun:
		r.Log.Warn("config_url is not fetched in a dry run: what it would set is missing here")
		return nil
	}
	_, problems := builder.Build(all, builder.Input{Mode: spec.ModeCheck})
	if err := problem.Refuse(r.Log, "checking the parameters", problems); err != nil {
		return err
	}
	return r.addConfig(ctx, lower, url)
}
