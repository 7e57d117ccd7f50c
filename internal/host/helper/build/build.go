package build

import (
	"bytes"
	"context"
	"debug/elf"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"snf-image/internal/channel"
	"snf-image/internal/host/helper"
)

// Options say what to build and where.
type Options struct {
	Dir     string // HELPER_DIR, made if it is missing
	Agent   string // path of the static agent
	Release string // release version of snf-image
	Flavour string // "" means helper.DebianCloud
	Suite   string // of Debian; "" means DefaultSuite
	// Mirror and SecurityMirror are the URIs of Debian's archive and of its
	// security updates. Without them the mirror that this node uses serves.
	Mirror, SecurityMirror string
	// Env is added to the environment of apt: http_proxy and the like.
	Env []string
	Log *slog.Logger
}

// Build makes the helper image from Debian packages and puts it into opts.Dir.
// Whatever was there stays in force until the new one is complete.
func Build(ctx context.Context, opts Options) (*helper.Manifest, error) {
	if opts.Flavour == "" {
		opts.Flavour = helper.DebianCloud
	}
	if opts.Flavour != helper.DebianCloud {
		return nil, helper.Failure("building the helper image", opts.Flavour, errors.New("this flavour is not in this version"), "")
	}
	suite, err := findSuite(opts.Suite)
	if err != nil {
		return nil, helper.Failure("building the helper image", opts.Suite, err, "")
	}
	agent, err := readAgent(opts.Agent)
	if err != nil {
		return nil, helper.Failure("reading the agent", opts.Agent, err, `run "make build"`)
	}
	store, err := helper.OpenStore(opts.Dir)
	if err != nil {
		return nil, err
	}
	defer store.Close()
	b := &build{opts: opts, suite: suite, agent: agent, tree: skeleton(), copyrights: map[string]string{}}
	m, err := b.run(ctx, store)
	if err != nil {
		return nil, helper.Failure("building the helper image", opts.Dir, err, "")
	}
	opts.Log.Info("built the helper image", "dir", opts.Dir, "suite", m.Suite, "kernel", m.Kernel,
		"vmlinux", m.Vmlinux.Size, "initramfs", m.Initramfs.Size)
	return m, nil
}

// build is one build in progress.
type build struct {
	opts       Options
	suite      suite
	agent      []byte
	tree       tree
	kernel     *kernelFiles
	copyrights map[string]string
	newest     time.Time // of the files of all packages
}

// run downloads, assembles and publishes.
func (b *build) run(ctx context.Context, s *helper.Store) (*helper.Manifest, error) {
	temp, err := s.Temp()
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(temp)
	apt := &apt{
		dir: temp, suite: b.suite.name, mirror: mirror{b.opts.Mirror, b.opts.SecurityMirror},
		env: b.opts.Env, log: b.opts.Log,
	}
	debs, err := apt.fetch(ctx, b.suite.downloads())
	if err != nil {
		return nil, err
	}
	files, m, err := b.assemble(ctx, debs)
	if err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, context.Cause(ctx)
	}
	return m, s.Publish(temp, m, files)
}

// assemble makes the files of the helper image from packages, the kernel's
// first. It depends on nothing but its arguments, the agent and the release.
func (b *build) assemble(ctx context.Context, debs []packageFile) (map[string][]byte, *helper.Manifest, error) {
	if err := b.collect(ctx, debs); err != nil {
		return nil, nil, err
	}
	m := &helper.Manifest{
		Schema: helper.ManifestSchema, Release: b.opts.Release, Protocol: channel.Version,
		Flavour: b.opts.Flavour, Kernel: b.kernel.version,
		Suite: b.suite.name, Newest: b.newest.UTC().Format(time.DateOnly),
	}
	for _, d := range debs {
		m.Packages = append(m.Packages, d.Package)
	}
	kernel, err := vmlinux(b.kernel.bzImage)
	if err != nil {
		return nil, nil, err
	}
	m.Contents, err = addContents(b.tree, contents{
		Release: m.Release, Flavour: m.Flavour, Suite: m.Suite, Kernel: m.Kernel, Packages: m.Packages,
	})
	if err != nil {
		return nil, nil, fmt.Errorf("listing the contents: %w", err)
	}
	initramfs, err := archive(b.tree)
	if err != nil {
		return nil, nil, err
	}
	texts := b.copyrightFile()
	m.Vmlinux, m.Initramfs, m.Copyright = helper.NewFile("vmlinux", kernel), helper.NewFile("initramfs", initramfs), helper.NewFile("copyright", texts)
	return map[string][]byte{m.Vmlinux.Name: kernel, m.Initramfs.Name: initramfs, m.Copyright.Name: texts}, m, nil
}

// readAgent reads the agent and refuses what could not run as PID 1.
func readAgent(name string) ([]byte, error) {
	data, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	f, err := elf.NewFile(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	linker, err := interpreter(f)
	if err == nil && (linker != "" || f.Machine != elf.EM_X86_64 || f.Type == elf.ET_REL) {
		err = errors.New("not a static x86-64 program")
	}
	return data, err
}
