package helper

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"

	"snf-image/internal/command"
	"snf-image/internal/report"
)

// apt downloads packages. It installs nothing and leaves the lists of the
// system as they are: where they are missing or out of date it fetches lists of
// its own below dir.
type apt struct {
	dir     string // private, removed by the caller
	options []string
	env     []string // proxy settings
	log     *slog.Logger
}

// fetch downloads the kernel package and the packages named, and returns their
// files. apt checks what it downloads against the signed lists.
func (a *apt) fetch(ctx context.Context, names []string) ([]deb, error) {
	for _, tool := range []string{"apt-get", "apt-cache", "dpkg-deb"} {
		if _, err := command.Find(tool); err != nil {
			return nil, &report.Failure{
				Kind: report.HelperImage, What: "collecting Debian packages", On: tool, Cause: err,
				Remedy: "build on Debian 12 with apt installed, and copy HELPER_DIR from there",
			}
		}
	}
	debs, err := a.try(ctx, names)
	if err == nil || ctx.Err() != nil {
		return debs, err
	}
	a.log.Info("fetching package lists", "because", err)
	if err := a.ownLists(ctx); err != nil {
		return nil, err
	}
	return a.try(ctx, names)
}

func (a *apt) try(ctx context.Context, names []string) ([]deb, error) {
	kernel, err := a.kernel(ctx)
	if err != nil {
		return nil, err
	}
	into := filepath.Join(a.dir, "debs")
	if err := errors.Join(os.RemoveAll(into), os.Mkdir(into, 0o755)); err != nil {
		return nil, err
	}
	names = append([]string{kernel}, names...)
	a.log.Info("downloading packages", "count", len(names), "kernel", kernel)
	if _, err := a.run(ctx, into, "apt-get", append([]string{"download", "-q"}, names...)...); err != nil {
		return nil, fmt.Errorf("downloading packages: %w", err)
	}
	return findDebs(into, names)
}

// kernelName matches what the kernel's meta package depends on.
var kernelName = regexp.MustCompile(`(?m)^Depends: .*?(linux-image-\d\S*-cloud-amd64)`)

// kernel returns the name of the versioned kernel package.
func (a *apt) kernel(ctx context.Context) (string, error) {
	out, err := a.run(ctx, a.dir, "apt-cache", "show", "--no-all-versions", kernelPackage)
	if err != nil {
		return "", fmt.Errorf("looking up %s: %w", kernelPackage, err)
	}
	m := kernelName.FindSubmatch(out)
	if m == nil {
		return "", fmt.Errorf("looking up %s: it depends on no kernel", kernelPackage)
	}
	return string(m[1]), nil
}

// ownLists turns to package lists below a.dir and fetches them.
func (a *apt) ownLists(ctx context.Context) error {
	for _, dir := range []string{"state/lists/partial", "cache/archives/partial"} {
		if err := os.MkdirAll(filepath.Join(a.dir, dir), 0o755); err != nil {
			return err
		}
	}
	a.options = []string{
		"-o", "Dir::State=" + filepath.Join(a.dir, "state"),
		"-o", "Dir::State::status=/var/lib/dpkg/status",
		"-o", "Dir::Cache=" + filepath.Join(a.dir, "cache"),
	}
	if _, err := a.run(ctx, a.dir, "apt-get", "update", "-q"); err != nil {
		return fmt.Errorf("fetching package lists: %w", err)
	}
	return nil
}

// run runs a tool of apt in dir. The user _apt could not write below a.dir,
// which only its owner may enter.
func (a *apt) run(ctx context.Context, dir, tool string, args ...string) ([]byte, error) {
	argv := append([]string{tool, "-o", "APT::Sandbox::User=root", "-o", "APT::Architecture=amd64"}, a.options...)
	argv = append(argv, args...)
	return command.Run(ctx, command.Cmd{Args: argv, Dir: dir, Log: a.log, Env: a.env})
}
