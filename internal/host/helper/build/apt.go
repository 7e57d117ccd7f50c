package build

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

// apt downloads packages of one suite. It installs nothing and neither reads nor
// changes the package lists of the system: it has sources, lists and a cache of
// its own below dir. Proxies and credentials of the system's apt do count.
type apt struct {
	dir    string // private, removed by the caller
	suite  string
	mirror mirror   // zero: the one this node uses
	env    []string // proxy settings
	log    *slog.Logger

	options []string
}

// fetch downloads the kernel package and the packages named, and returns their
// files. apt checks what it downloads against the signed lists.
func (a *apt) fetch(ctx context.Context, names []string) ([]packageFile, error) {
	for _, tool := range []string{"apt-get", "apt-cache", "dpkg-deb"} {
		if _, err := command.Find(tool); err != nil {
			return nil, aptFailure(tool, err, "build on Debian with apt installed, and copy HELPER_DIR from there")
		}
	}
	if err := a.lists(ctx); err != nil {
		return nil, err
	}
	kernel, err := a.kernel(ctx)
	if err != nil {
		return nil, err
	}
	into := filepath.Join(a.dir, "debs")
	if err := os.Mkdir(into, 0o755); err != nil {
		return nil, err
	}
	names = append([]string{kernel}, names...)
	a.log.Info("downloading packages", "suite", a.suite, "count", len(names), "kernel", kernel)
	if _, err := a.run(ctx, into, "apt-get", append([]string{"download", "-q"}, names...)...); err != nil {
		return nil, fmt.Errorf("downloading packages of %s: %w", a.suite, err)
	}
	return findPackages(into, names)
}

func aptFailure(on string, cause error, remedy string) error {
	return &report.Failure{
		Kind: report.HelperImage, What: "collecting Debian packages", On: on, Cause: cause, Remedy: remedy,
	}
}

// lists fetches the package lists of the suite into a directory below a.dir.
func (a *apt) lists(ctx context.Context) error {
	keyring, err := findKeyring()
	if err != nil {
		return aptFailure(a.suite, err, "install debian-archive-keyring")
	}
	if err := a.findMirror(ctx); err != nil {
		return aptFailure(a.suite, err, "name the archive with --mirror, and that of its security updates with --security-mirror")
	}
	for _, dir := range []string{"state/lists/partial", "cache/archives/partial"} {
		if err := os.MkdirAll(filepath.Join(a.dir, dir), 0o755); err != nil {
			return err
		}
	}
	list := filepath.Join(a.dir, "sources.list")
	if err := os.WriteFile(list, []byte(a.mirror.sources(a.suite, keyring)), 0o644); err != nil {
		return err
	}
	a.options = []string{
		"-o", "Dir::Etc::sourcelist=" + list,
		"-o", "Dir::Etc::sourceparts=-",
		"-o", "Dir::Etc::preferences=-",
		"-o", "Dir::Etc::preferencesparts=-",
		"-o", "Dir::State=" + filepath.Join(a.dir, "state"),
		"-o", "Dir::State::status=/dev/null",
		"-o", "Dir::Cache=" + filepath.Join(a.dir, "cache"),
	}
	// Without the error mode, a list that could not be fetched is a warning.
	if _, err := a.run(ctx, a.dir, "apt-get", "update", "-q", "-o", "APT::Update::Error-Mode=any"); err != nil {
		return aptFailure("the package lists of "+a.suite, err,
			"look whether the mirror has "+a.suite+" (else name another one with --mirror), and whether debian-archive-keyring is up to date")
	}
	return nil
}

// findMirror asks the system's apt for the mirror of this node unless one was given.
func (a *apt) findMirror(ctx context.Context) error {
	if a.mirror.archive != "" {
		m, err := a.mirror.complete()
		a.mirror = m
		return err
	}
	out, err := a.run(ctx, a.dir, "apt-get", "indextargets", "--format", targetFormat, "Created-By: Packages")
	if err != nil {
		return fmt.Errorf("asking apt for its sources: %w", err)
	}
	a.mirror, err = findMirror(string(out))
	return err
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
		return "", fmt.Errorf("looking up %s: %w", kernelPackage, errors.New("it depends on no kernel"))
	}
	return string(m[1]), nil
}

// run runs a tool of apt in dir. The user _apt could not write below a.dir,
// which only its owner may enter.
func (a *apt) run(ctx context.Context, dir, tool string, args ...string) ([]byte, error) {
	argv := append([]string{tool, "-o", "APT::Sandbox::User=root", "-o", "APT::Architecture=amd64"}, a.options...)
	argv = append(argv, args...)
	return command.Run(ctx, command.Cmd{Args: argv, Dir: dir, Log: a.log, Env: a.env})
}
