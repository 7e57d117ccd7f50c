package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"

	"github.com/spf13/cobra"

	"snf-image/internal/host/config"
	"snf-image/internal/host/problem"
	"snf-image/internal/report"
)

// app holds what all commands use.
type app struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	configFile     string
	debug          bool
	log            *slog.Logger
}

// run carries out one command line.
func run(ctx context.Context, stdin io.Reader, stdout, stderr io.Writer, args []string) error {
	a := &app{stdin: stdin, stdout: stdout, stderr: stderr}
	return a.execute(ctx, a.root(), args)
}

// execute carries out a command line of the program root.
func (a *app) execute(ctx context.Context, root *cobra.Command, args []string) error {
	root.SilenceErrors, root.SilenceUsage = true, true
	root.PersistentPreRun = func(*cobra.Command, []string) { a.log = newLogger(a.stderr, a.debug) }
	root.PersistentFlags().StringVar(&a.configFile, "config", "", "configuration `file` (default "+config.DefaultPath+")")
	root.PersistentFlags().BoolVar(&a.debug, "debug", false, "log what is done in detail")
	root.SetFlagErrorFunc(flagError)
	root.SetArgs(args)
	root.SetOut(a.stdout)
	root.SetErr(a.stderr)
	return root.ExecuteContext(ctx)
}

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "snf-image",
		Short: "Put an operating system image on a disk and make it a particular machine",
		Long: `snf-image puts an operating system image on a disk and makes it a particular
machine: grown file system, password, SSH keys, host name, identity, network,
injected files. Everything that understands the image runs inside a helper VM,
so that hostile images never touch this node.`,
		Example: `  snf-image helper build
  snf-image deploy --image debian.diskdump --disk web1.raw --size 10G \
      --name web1.example.org --authorized-keys id_ed25519.pub`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return unknownCommand(cmd, args[0])
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.AddCommand(a.deployCommand(), a.customizeCommand(), a.inspectCommand(),
		a.imageCommand(), a.keyCommand(), a.helperCommand(), a.doctorCommand(), a.versionCommand())
	return root
}

// unknownCommand is the failure of a word that is not a command of cmd.
func unknownCommand(cmd *cobra.Command, word string) error {
	err := fmt.Errorf("unknown command %q", word)
	var known []string
	for _, c := range cmd.Commands() {
		known = append(known, c.Name())
	}
	if near := problem.Nearest(word, known); near != "" {
		return usageAdvice(err, "did you mean "+near+"?")
	}
	return usage(cmd, err)
}

// usage is the failure of a wrong command line.
func usage(cmd *cobra.Command, err error) error {
	return usageAdvice(err, `see "`+cmd.CommandPath()+` --help"`)
}

// usageAdvice is usage with another remedy.
func usageAdvice(err error, remedy string) error {
	return &report.Failure{Kind: report.Usage, What: "reading the command line", Cause: err, Remedy: remedy}
}

// noArguments refuses what is not a flag.
func noArguments(cmd *cobra.Command, args []string) error {
	if err := cobra.NoArgs(cmd, args); err != nil {
		return usage(cmd, err)
	}
	return nil
}

// arguments demands exactly n arguments.
func arguments(n int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if err := cobra.ExactArgs(n)(cmd, args); err != nil {
			return usage(cmd, err)
		}
		return nil
	}
}

// config reads the configuration: the file --config names, which must exist,
// or those of the node, which may be missing.
func (a *app) config() (*config.Config, error) {
	if err := enoughFiles(); err != nil {
		return nil, err
	}
	cfg, problems := config.Load(config.Files(a.configFile)...)
	for _, w := range problems.Warnings() {
		a.log.Warn(w.Error())
	}
	if err := problem.Refuse(a.log, "reading the configuration", problems); err != nil {
		return nil, err
	}
	takeShipped(cfg, besideProgram())
	if cfg.ImageDebug && !a.debug {
		a.debug = true
		a.log = newLogger(a.stderr, true)
	}
	return cfg, nil
}
