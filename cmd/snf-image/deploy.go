package main

import (
	"encoding/base64"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"snf-image/internal/host/config"
	"snf-image/internal/host/deploy"
	"snf-image/internal/host/fetch"
	"snf-image/internal/host/source"
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
	cmd.Flags().StringVar(&p.image, "image", "", "the image: a `path`, the name of a file in IMAGE_DIR (also as local://NAME), a URL of http, https, ftp or ftps, or null for the disk as it is")
	cmd.Flags().StringVar(&p.format, "format", "", "`format` of the image (default diskdump)")
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
	cmd.Flags().BoolVar(&p.newIdentity, "new-identity", false, "make a new machine-id and new SSH host keys")
	cmd.Flags().BoolVar(&p.grow, "grow", false, "grow the last partition and its file system to the end of the disk")
	cmd.Flags().BoolVar(&p.all, "all", false, "run every task, as deploy does")
	return cmd
}

// deploy runs both commands and reports, whatever came of it.
func (a *app) deploy(cmd *cobra.Command, mode spec.Mode, p *parameterFlags) error {
	if p.dryRun {
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
	var client *fetch.Client
	if err == nil {
		client, err = fetcher(cfg)
	}
	if err == nil {
		s, err = a.spec(cmd.Context(), mode, p, cfg, client)
	}
	if err == nil && p.reportFile != "" {
		if err = notTheImage(p.reportFile, s, cfg); err != nil {
			p.reportFile = "" // it stays as it is
		}
	}
	if err != nil {
		show.sink.Send(report.Error("the parameters are invalid"))
		return nil, err
	}
	req := deploy.Request{
		Spec: s, Config: cfg, Release: version, Log: show.log, Sink: show.sink, Progress: show.progress,
		Store: store(s, cfg), Fetch: client,
	}
	if p.dryRun {
		return nil, deploy.DryRun(cmd.Context(), req, a.stdout)
	}
	return deploy.Run(cmd.Context(), req)
}

// notTheImage refuses a report file that is the image, wherever its name comes from.
func notTheImage(path string, s *spec.Spec, cfg *config.Config) error {
	image := s.Image
	if st := store(s, cfg); st != nil && image != "" && !fetch.IsURL(image) {
		where, err := st.Where(image, string(s.Format))
		if err != nil {
			return nil // which the deployment says
		}
		image = where
	}
	return notAmong(path, image)
}

// store returns where the image of s is looked for: nil for an ordinary path, which
// wins over a name in IMAGE_DIR. A URL must not name a path.
func store(s *spec.Spec, cfg *config.Config) *source.Store {
	image := s.Image
	_, err := os.Lstat(image)
	isPath := err == nil || strings.HasPrefix(image, "/") || strings.HasPrefix(image, "./") || strings.HasPrefix(image, "../")
	if isPath && !strings.Contains(image, "://") && !s.FromURL(spec.ImgID) {
		return nil
	}
	return &source.Store{Dir: cfg.ImageDir, Arch: cfg.Arch, Never: []string{cfg.HelperDir}}
}

func base64Of(b []byte) string { return base64.StdEncoding.EncodeToString(b) }
