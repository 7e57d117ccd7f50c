package main

import (
	"log/slog"

	"github.com/spf13/cobra"

	"snf-image/internal/host/config"
	"snf-image/internal/host/deploy"
	"snf-image/internal/host/fetch"
	"snf-image/internal/host/parameters"
	"snf-image/internal/host/reportfile"
	"snf-image/internal/host/trust"
	"snf-image/internal/report"
	"snf-image/internal/spec"
)

func (a *app) deployCommand() *cobra.Command {
	p := new(parameterFlags)
	cmd := &cobra.Command{
		Use:   "deploy --image IMAGE --disk DISK --name NAME",
		Short: "Write an image to a disk and make it a particular machine",
		Long: `Write an image to a disk and make it a particular machine. Whatever the disk
held is gone. Until everything has succeeded the disk does not boot.`,
		Example: `  snf-image deploy --image debian.diskdump --disk web1.raw --size 10G \
      --name web1.example.org --password-file pw --authorized-keys id_ed25519.pub \
      --file motd:/etc/motd:0644 --property USERS=root`,
		Args: p.arguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.deploy(cmd, spec.ModeDeploy, p) },
	}
	p.add(cmd)
	cmd.Flags().StringVar(&p.Image, "image", "", "the image: a `path`, the name of a file in IMAGE_DIR (also as local://NAME), one of the catalogue (also as catalogue:NAME), a URL of http, https, ftp or ftps, or null for the disk as it is")
	cmd.Flags().StringVar(&p.Format, "format", "", "`format` of the image (default auto)")
	p.addProof(cmd)
	return cmd
}

func (a *app) customizeCommand() *cobra.Command {
	p := new(parameterFlags)
	cmd := &cobra.Command{
		Use:   "customize --disk DISK",
		Short: "Change what is asked for on a disk that holds a machine, and nothing else",
		Long: `Change an installed system on its disk: what the flags ask for, and nothing
else. Its identity (machine-id, SSH host keys) changes only with --new-identity;
--all runs every task of a deployment. What can be refused is refused before the
first change. Nothing is blanked: every file is changed atomically, and a failure
says what was changed before it.`,
		Example: `  snf-image customize --disk web1.raw --password-file pw
  snf-image customize --disk copy.raw --name web2.example.org --new-identity
  snf-image customize --disk web1.raw --size 20G`,
		Args: p.arguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.deploy(cmd, spec.ModeCustomize, p) },
	}
	p.add(cmd)
	cmd.Flags().BoolVar(&p.NewIdentity, "new-identity", false, "make a new machine-id and new SSH host keys")
	cmd.Flags().BoolVar(&p.Grow, "grow", false, "grow the last partition and its file system to the end of the disk")
	cmd.Flags().BoolVar(&p.All, "all", false, "run every task, as deploy does")
	return cmd
}

// deploy runs both commands and writes the report, also of a failure.
func (a *app) deploy(cmd *cobra.Command, mode spec.Mode, p *parameterFlags) error {
	if p.DryRun {
		p.reportFile = ""
	}
	to, err := a.openReport(p)
	if err != nil {
		return err
	}
	if to != nil {
		defer func() { _ = to.Close() }()
	}
	rep, err := a.deployment(cmd, mode, p)
	return a.writeReport(p.reportFile, to, rep, mode, err)
}

// deployment returns the report of what was done, nil when nothing was begun.
func (a *app) deployment(cmd *cobra.Command, mode spec.Mode, p *parameterFlags) (*report.Deployment, error) {
	show, err := a.display(p.progress)
	if err != nil {
		return nil, usage(cmd, err)
	}
	defer show.end()
	cfg, err := a.config()
	if err == nil && a.debug {
		show.log = newLogger(show.lines, true)
	}
	var s *spec.Spec
	var warnings []string
	var client *fetch.Client
	var claim trust.Claim
	if err == nil {
		client, err = parameters.NewClient(cfg, "snf-image/"+version)
	}
	if err == nil {
		r := parameters.Reader{Config: cfg, Client: client, Stdin: a.stdin, Log: a.log}
		s, err = r.OfFlags(cmd.Context(), mode, &p.Flags)
		warnings = r.Warnings
		if err == nil {
			claim, err = chosenClaim(p.ClaimOfFlags(cfg, s), r.Chosen, cfg, a.log)
		}
	}
	if err == nil && p.reportFile != "" {
		if err = reportfile.Distinct(p.reportFile, parameters.ImageFile(s, cfg)); err != nil {
			p.reportFile = "" // it stays as it is
		}
	}
	if err != nil {
		show.sink.Send(report.Error("the parameters are invalid"))
		return nil, err
	}
	req := deploy.Request{
		Settings: settings(cfg, show.log),
		Spec:     s, Sink: show.sink, Progress: show.progress,
		Store: parameters.Store(s, cfg), Fetch: client, Warnings: warnings,
		Claim: claim, Keys: keysOf(cfg),
	}
	if p.DryRun {
		return nil, deploy.DryRun(cmd.Context(), req, a.stdout)
	}
	return deploy.Run(cmd.Context(), req)
}

// chosenClaim is the claim about an image, with what the catalogue knows about it.
func chosenClaim(claim trust.Claim, chosen *parameters.Chosen, cfg *config.Config, log *slog.Logger) (trust.Claim, error) {
	if chosen == nil {
		return claim, nil
	}
	keys, err := readKeys(cfg)
	if err != nil {
		return claim, err
	}
	claim, warning := chosen.Claim(claim, keys, cfg.CatalogueMirror)
	if warning != "" {
		log.Warn(report.Printable(warning))
	}
	return claim, nil
}
