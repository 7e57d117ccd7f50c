package main

import (
	"cmp"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"text/tabwriter"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"snf-image/internal/host/deploy"
	"snf-image/internal/host/diskuri"
	"snf-image/internal/host/helper"
	"snf-image/internal/host/helper/build"
	"snf-image/internal/host/parameters"
	"snf-image/internal/report"
	"snf-image/internal/spec"
)

// installedAgent is where a package puts the agent.
const installedAgent = "/usr/lib/snf-image/snf-image-agent"

func (a *app) helperCommand() *cobra.Command {
	return group(&cobra.Command{
		Use:     "helper",
		Short:   "Build, describe or enter the helper",
		Example: "  snf-image helper build\n  snf-image helper info",
	}, a.helperBuild(), a.helperInfo(), a.helperShell())
}

func (a *app) helperBuild() *cobra.Command {
	var opts build.Options
	cmd := &cobra.Command{
		Use:   "build",
		Short: "Build the helper image into HELPER_DIR from Debian packages",
		Long: `Build the helper image (kernel, initramfs, manifest) from Debian packages, which
apt downloads from the mirror of this node. Kernel and tools come from one suite,
whatever the node runs. The same packages and the same agent give the same bytes.
The helper image that was there stays in use until the new one is complete.`,
		Example: "  snf-image helper build\n  snf-image --config ./snf-image.conf helper build",
		Args:    noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := a.config()
			if err != nil {
				return err
			}
			if opts.Agent == "" {
				opts.Agent = findAgent()
			}
			opts.Dir, opts.Release, opts.Env, opts.Log = cfg.HelperDir, version, proxies(), a.log
			_, err = build.Build(cmd.Context(), opts)
			return err
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&opts.Agent, "agent", "", "agent `program` (default: beside this program, else "+installedAgent+")")
	flags.StringVar(&opts.Suite, "suite", build.DefaultSuite, "Debian `suite` that kernel and tools come from")
	flags.StringVar(&opts.Mirror, "mirror", "", "`URL` of Debian's archive (default: the mirror in the sources of apt)")
	flags.StringVar(&opts.SecurityMirror, "security-mirror", "", "`URL` of its security updates (default: likewise)")
	return cmd
}

// findAgent prefers the agent beside the executable, as in a checkout, or below the prefix
// where that is installed.
func findAgent() string {
	if exe, err := os.Executable(); err == nil {
		return agentOf(filepath.Dir(exe))
	}
	return installedAgent
}

// agentOf returns the agent of a program in the directory dir.
func agentOf(dir string) string {
	for _, beside := range []string{"snf-image-agent", "../lib/snf-image/snf-image-agent"} {
		at := filepath.Join(dir, beside)
		if info, err := os.Stat(at); err == nil && info.Mode().IsRegular() {
			return at
		}
	}
	return installedAgent
}

// proxies passes on what apt may need to reach its servers.
func proxies() []string {
	var env []string
	for _, name := range []string{"http_proxy", "https_proxy", "ftp_proxy", "no_proxy"} {
		if v, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+v)
		}
	}
	return env
}

func (a *app) helperInfo() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:     "info",
		Short:   "Show versions, sizes and digests of the helper image",
		Example: "  snf-image helper info\n  snf-image helper info --json",
		Args:    noArguments,
		RunE: func(*cobra.Command, []string) error {
			d, err := a.describeHelper()
			switch {
			case asJSON && d == nil:
				return a.printJSON(nil, err)
			case asJSON:
				return a.printJSON(d, err)
			case d == nil:
				return err
			}
			return cmp.Or(printHelper(a.stdout, d), err)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// describeHelper describes the helper image. One that is damaged is described, too.
func (a *app) describeHelper() (*helper.Description, error) {
	cfg, err := a.config()
	if err != nil {
		return nil, err
	}
	d, err := helper.Info(cfg.HelperDir, cfg.HelperPkg)
	if err != nil {
		return nil, err
	}
	if !d.Intact {
		err = &report.Failure{
			Kind: report.HelperImage, What: "checking the helper image", On: d.Dir,
			Cause: fmt.Errorf("%s", d.Problems[0]), Remedy: helper.Remedy(cfg.HelperPkg),
		}
	}
	return d, err
}

func printHelper(out io.Writer, d *helper.Description) error {
	w := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	fmt.Fprintf(w, "Directory\t%s\nFlavour\t%s\nRelease\t%s (protocol %d)\nSuite\t%s, newest package of %s\nKernel\t%s\nContents\t%s\n",
		d.Dir, d.Flavour, d.Release, d.Protocol, d.Suite, d.Newest, d.Kernel, d.Contents)
	for _, f := range []helper.File{d.Vmlinux, d.Initramfs, d.Copyright} {
		fmt.Fprintf(w, "%s\t%s, sha256 %s\n", f.Name, report.Bytes(f.Size), f.Digest)
	}
	for _, p := range d.Packages {
		fmt.Fprintf(w, "Package\t%s %s\n", p.Name, p.Version)
	}
	for _, c := range d.Concerns {
		fmt.Fprintf(w, "Warning\t%s\n", c)
	}
	for _, p := range d.Problems {
		fmt.Fprintf(w, "Problem\t%s\n", p)
	}
	return w.Flush()
}

func (a *app) helperShell() *cobra.Command {
	var disks []string
	var readOnly bool
	cmd := &cobra.Command{
		Use:   "shell",
		Short: "Open a rescue shell in the helper with disks attached",
		Long: `Boot the helper with the given disks and open a shell in it. The disks are
/dev/disk-a and so on, their partitions /dev/disk-a1 and so on. No task runs.
Leave the shell with "exit".`,
		Example: "  snf-image helper shell --disk web1.raw",
		Args:    noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := a.config()
			if err != nil {
				return err
			}
			s := &spec.Spec{Mode: spec.ModeShell}
			for _, text := range disks {
				d := parameters.Disk(text)
				if err := diskuri.Check(d.URI); d.Path == "" && err != nil {
					return &report.Failure{Kind: report.Usage, What: "reading the command line", On: "--disk", Cause: err}
				}
				d.ReadOnly, d.Format = readOnly, spec.Raw
				s.Disks = append(s.Disks, d)
			}
			restore := a.rawTerminal()
			defer restore()
			return deploy.Shell(cmd.Context(), settings(cfg, a.log), s,
				struct {
					io.Reader
					io.Writer
				}{a.stdin, a.stdout})
		},
	}
	cmd.Flags().StringArrayVar(&disks, "disk", nil, "block device or disk file at `path`, or the URI of a disk (repeatable)")
	cmd.Flags().BoolVar(&readOnly, "read-only", false, "attach the disks for reading only")
	return cmd
}

// rawTerminal hands every key to the shell in the helper, until the returned
// function is called.
func (a *app) rawTerminal() func() {
	f, ok := a.stdin.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return func() {}
	}
	old, err := term.MakeRaw(int(f.Fd()))
	if err != nil {
		return func() {}
	}
	return func() { _ = term.Restore(int(f.Fd()), old) }
}
