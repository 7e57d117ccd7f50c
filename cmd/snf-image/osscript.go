package main

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"snf-image/internal/host/config"
	"snf-image/internal/host/deploy"
	"snf-image/internal/host/fetch"
	"snf-image/internal/host/ganeti"
	"snf-image/internal/host/monitor"
	"snf-image/internal/host/parameters"
	"snf-image/internal/host/trust"
	"snf-image/internal/report"
	"snf-image/internal/spec"
)

// osScript is one call of a script of the OS definition. Only its environment and the
// files of the node decide what it does.
type osScript struct {
	*app
	name ganeti.Script
	dir  string // of the OS definition
	env  ganeti.Environment
	sink report.Sink
	// monitor gets the messages in place of the log, if there is one.
	monitor *monitor.Monitor
	reports string // REPORT_DIR, empty for none
	files   []config.File
}

// runScript carries out the script argv[0] names.
func runScript(ctx context.Context, stdin io.Reader, stdout, stderr io.Writer, argv []string, env ganeti.Environment) error {
	return newScript(stdin, stdout, stderr, argv, env).call(ctx, argv)
}

func newScript(stdin io.Reader, stdout, stderr io.Writer, argv []string, env ganeti.Environment) *osScript {
	return &osScript{
		app:  &app{stdin: stdin, stdout: stdout, stderr: stderr, log: newScriptLogger(stderr, false)},
		name: ganeti.Script(filepath.Base(argv[0])), dir: filepath.Dir(argv[0]), env: env,
		sink:  report.Sinks{report.NewTextSink(stderr, time.Now), report.NewJSONSink(stderr, report.LogPrefix, time.Now)},
		files: config.DefaultFiles(),
	}
}

// call carries the script out unless the arguments are not Ganeti's.
func (s *osScript) call(ctx context.Context, argv []string) error {
	if slices.Equal(argv[1:], []string{"-h"}) || slices.Equal(argv[1:], []string{"--help"}) {
		_, err := io.WriteString(s.stdout, s.usage())
		return err
	}
	if !slices.Equal(argv[1:], s.name.Arguments()) {
		_, _ = io.WriteString(s.stderr, s.usage())
		return &report.Failure{
			Kind: report.Usage, What: "reading the command line", On: string(s.name),
			Cause: fmt.Errorf("unexpected arguments %q", argv[1:]), Remedy: "let Ganeti call this program",
		}
	}
	return s.run(ctx)
}

// usage is what -h prints.
func (s *osScript) usage() string {
	words := append([]string{string(s.name)}, s.name.Arguments()...)
	return "Usage: " + strings.Join(words, " ") + "\n\n" +
		"A script of Ganeti's OS interface. Ganeti calls it, with all input in the\n" +
		"environment: see ganeti-os-interface(7). By hand, use snf-image.\n"
}

// run carries the script out.
func (s *osScript) run(ctx context.Context) error {
	if err := enoughFiles(); err != nil {
		return err
	}
	switch s.name {
	case ganeti.Create:
		return s.create(ctx)
	case ganeti.Rename:
		return s.rename(ctx)
	case ganeti.Verify:
		return s.verify(ctx)
	case ganeti.Export:
		return s.export(ctx)
	case ganeti.Import:
		return s.importDump(ctx)
	}
	return fmt.Errorf("unknown OS script %q", s.name)
}

// verify checks the parameters. It fetches nothing, and looks at no image: of proofs it
// refuses what no image can satisfy.
func (s *osScript) verify(ctx context.Context) error {
	call, err := s.read(ctx)
	if err == nil {
		err = deploy.CheckWindows(call.spec, call.config)
	}
	if err != nil || call.spec.Image == spec.NoImage || call.remote() {
		return err
	}
	if err := call.claim.Hopeless(); err != nil {
		return &report.Failure{
			Kind: report.Image, What: "checking what Ganeti passed", On: spec.ImgID,
			Cause: fmt.Errorf("%w (%s is demanded by %s)", err, call.claim.Demand, call.claim.By), Remedy: trust.Remedy(err),
		}
	}
	return nil
}

// osCall is a call with what was read for it.
type osCall struct {
	*ganeti.Call
	config   *config.Config
	spec     *spec.Spec
	fetch    *fetch.Client
	warnings []string // of the parameters
	claim    trust.Claim
}

// remote reports whether a URL may deliver another img_id.
func (c *osCall) remote() bool {
	set := slices.ContainsFunc(c.Parameters, func(p ganeti.Parameter) bool { return p.Name == spec.ConfigURL && p.Value.Reveal() != "" })
	return set || slices.ContainsFunc(c.config.Parameters, func(p config.Parameter) bool { return p.Name == spec.ConfigURL && p.Value != "" })
}

// read reads configuration, variant, environment and what config_url delivers. All that is
// wrong with them is reported at once.
func (s *osScript) read(ctx context.Context) (*osCall, error) {
	call, problems := ganeti.Read(s.name, s.env)
	cfg, more := config.LoadVariant(call.Variant, filepath.Join(s.dir, "variants.list"), s.files...)
	if cfg != nil {
		takeShipped(cfg, besideProgram())
		s.reports = cfg.ReportDir
	}
	s.watch(cfg, call)
	r := parameters.Reader{Config: cfg, Log: s.log}
	if cfg != nil {
		client, err := parameters.NewClient(cfg, "snf-image/"+version)
		if err != nil {
			return nil, err
		}
		r.Client = client
	}
	built, err := r.OfCall(ctx, parameters.Call{
		Call: call, Found: slices.Concat(problems, more),
		Ready: func(ctx context.Context, disks []spec.Disk) error {
			return deploy.Ready(ctx, settings(cfg, s.log), disks)
		},
	})
	if err != nil {
		return nil, err
	}
	claim, err := chosenClaim(parameters.ClaimOfCall(call, cfg, built), r.Chosen, cfg, s.log)
	if err != nil {
		return nil, err
	}
	cfg.ImageDebug = cfg.ImageDebug || call.Debug
	s.log = newScriptLogger(s.stderr, cfg.ImageDebug)
	return &osCall{call, cfg, built, r.Client, r.Warnings, claim}, nil
}

// watch starts PROGRESS_MONITOR. A monitor that does not start is a warning.
func (s *osScript) watch(cfg *config.Config, call *ganeti.Call) {
	if s.name != ganeti.Create || cfg == nil || len(cfg.ProgressMonitor) == 0 {
		return
	}
	m, err := monitor.Start(append(slices.Clone(cfg.ProgressMonitor), call.Instance), s.log)
	if err != nil {
		s.log.Warn("PROGRESS_MONITOR: " + err.Error() + "; the messages are in this log")
		return
	}
	s.monitor, s.sink = m, report.Sinks{report.NewTextSink(s.stderr, time.Now), m}
}

// unwatch ends PROGRESS_MONITOR.
func (s *osScript) unwatch() {
	if s.monitor != nil {
		s.monitor.Close()
	}
}

// request is the deployment of call.
func (s *osScript) request(call *osCall) deploy.Request {
	cfg := call.config
	return deploy.Request{
		Settings: settings(cfg, s.log),
		Spec:     call.spec, Sink: s.sink, Fetch: call.fetch,
		Store: parameters.Images(cfg), Warnings: call.warnings,
		Claim: call.claim, Keys: keysOf(cfg),
	}
}
