package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"snf-image/internal/host/config"
	"snf-image/internal/host/helper"
	"snf-image/internal/host/ownership"
	"snf-image/internal/report"
)

// Programs that make the helper image, as administrators of the earlier
// implementation know them.
const (
	updateHelper = "snf-image-update-helper"
	createHelper = "snf-image-create-helper"
)

// downloadConfig is where the earlier implementation kept the URL of the helper
// package.
const downloadConfig = "/etc/default/snf-image-update-helper"

// unpacking is a command line of one of these programs.
type unpacking struct {
	dir, pkg   string
	yes, force bool
	url        string // refused
	check      bool   // refused
}

func (a *app) updateHelperCommand() *cobra.Command {
	var u unpacking
	cmd := &cobra.Command{
		Use:   updateHelper,
		Short: "Make the helper image from the package snf-image-helper",
		Long: `Make the helper image from the package snf-image-helper, which lies at HELPER_PKG
and need not be installed. Nothing is downloaded. Every file is compared with its
digest; the helper image that was there stays in use until the new one is
complete. Nothing is done when that image is there already. A question is asked only on
a terminal.`,
		Example: `  snf-image-update-helper
  snf-image-update-helper -y -p ./snf-image-helper_0.1.0-1_amd64.deb`,
		Args: func(cmd *cobra.Command, args []string) error {
			if err := u.refuseDownload(downloadConfig); err != nil {
				return err
			}
			return noArguments(cmd, args)
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return a.unpack(cmd.Context(), u) },
	}
	u.define(cmd)
	cmd.Flags().BoolVarP(&u.force, "force", "f", false, "take a package of another release")
	cmd.Flags().StringVarP(&u.url, "url", "u", "", "refused: nothing is downloaded")
	cmd.Flags().BoolVarP(&u.check, "check", "c", false, "refused: nothing is downloaded")
	cmd.Flags().Lookup("url").Hidden = true
	cmd.Flags().Lookup("check").Hidden = true
	return cmd
}

func (a *app) createHelperCommand() *cobra.Command {
	var u unpacking
	cmd := &cobra.Command{
		Use:   createHelper + " [PACKAGE]",
		Short: "Make the helper image from the package snf-image-helper",
		Long: `Make the helper image from the package snf-image-helper, as snf-image-update-helper
does. Without PACKAGE it is taken from HELPER_PKG.`,
		Example: "  snf-image-create-helper -y ./snf-image-helper_0.1.0-1_amd64.deb",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 1 || len(args) == 1 && u.pkg != "" {
				return usage(cmd, errors.New("name one package"))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			u.pkg = strings.Join(append(args, u.pkg), "")
			return a.unpack(cmd.Context(), u)
		},
	}
	u.define(cmd)
	cmd.Flags().BoolP("no-op", "n", false, "without effect, for old scripts")
	return cmd
}

// define defines the flags that both programs have.
func (u *unpacking) define(cmd *cobra.Command) {
	cmd.CompletionOptions.DisableDefaultCmd = true
	cmd.Flags().StringVarP(&u.dir, "directory", "d", "", "make the helper image in `dir` (default HELPER_DIR)")
	cmd.Flags().StringVarP(&u.pkg, "package", "p", "", "`file` to unpack (default HELPER_PKG)")
	cmd.Flags().BoolVarP(&u.yes, "yes", "y", false, "ask nothing")
}

// refuseDownload refuses the options and the file that governed the download of
// the helper package.
func (u *unpacking) refuseDownload(file string) error {
	f := &report.Failure{
		Kind: report.Usage, What: "updating the helper image",
		Cause:  errors.New("the helper package is not downloaded any more"),
		Remedy: "download it yourself, put it at HELPER_PKG or name it with -p",
	}
	if u.url != "" || u.check {
		f.On = "option -u or -c"
		return f
	}
	if _, err := os.Stat(file); err == nil {
		f.On = file
		f.Remedy += ", and remove this file"
		return f
	}
	return nil
}

// unpack makes the helper image.
func (a *app) unpack(ctx context.Context, u unpacking) error {
	cfg, err := a.config()
	if err != nil {
		return err
	}
	opts := u.options(cfg)
	opts.Log = a.log
	if !u.yes {
		opts.Agree = func() bool { return a.agreed(opts) }
	}
	// What is named with -p is the caller's choice, as with dpkg; HELPER_PKG is taken
	// unasked.
	if err := ownership.Check(opts.Package); u.pkg == "" && errors.Is(err, ownership.ErrOthers) {
		return &report.Failure{Kind: report.HelperImage, What: "reading the helper package", On: opts.Package, Cause: err, Remedy: ownership.Remedy}
	}
	if _, err = helper.Unpack(ctx, opts); errors.Is(err, helper.ErrDeclined) {
		err = &report.Failure{Kind: report.Usage, What: "asking whether to go on", Cause: err}
	}
	return err
}

func (u *unpacking) options(cfg *config.Config) helper.UnpackOptions {
	opts := helper.UnpackOptions{
		Dir: cfg.HelperDir, Package: cfg.HelperPkg, Release: version, AnyRelease: u.force || !cfg.VersionCheck,
	}
	if u.dir != "" {
		opts.Dir = u.dir
	}
	if u.pkg != "" {
		opts.Package = u.pkg
	}
	return opts
}

// agreed asks on a terminal. Scripts and configuration management run these
// programs too, and nobody could answer there.
func (a *app) agreed(opts helper.UnpackOptions) bool {
	f, ok := a.stdin.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return true
	}
	fmt.Fprintf(a.stdout, "Make the helper image in %s from %s? [y/N] ", opts.Dir, opts.Package)
	answer, err := bufio.NewReader(f).ReadString('\n')
	if err != nil {
		return false
	}
	answer = strings.ToLower(strings.TrimSpace(answer))
	return answer == "y" || answer == "yes"
}
