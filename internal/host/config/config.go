// Package config reads the shell-style configuration files of the node,
// /etc/default/snf-image and its older siblings.
//
// Nothing in them is ever executed: a file consists of assignments, every other
// line is an error with its place.
package config

import (
	"errors"
	"io/fs"
	"time"

	"snf-image/internal/host/problem"
	"snf-image/internal/host/shellfile"
	"snf-image/internal/host/target"
	"snf-image/internal/host/trust"
)

// Config is the configuration of a node, complete with defaults.
type Config struct {
	ImageDir    string
	HelperDir   string
	HelperPkg   string // absolute
	VariantsDir string
	Arch        string

	ImageDebug     bool
	CloudInitDebug bool
	HelperDebug    bool
	// VersionCheck false only warns of a helper image of another release.
	VersionCheck bool

	// HelperSoftTimeout counts from the hand-over of the disk, 0 means no limit;
	// HelperHardTimeout from the TERM.
	HelperSoftTimeout time.Duration
	HelperHardTimeout time.Duration
	// HelperUser is the account the helper runs as; empty means a uid of its
	// own for each run.
	HelperUser   string
	HelperMemory int // MiB
	MaxHelpers   int // at once on this node; 0 means no limit

	// ProgressMonitor is a command and its arguments, empty for none. The
	// instance name is to be added.
	ProgressMonitor []string

	DHCPTags            []string
	StatefulDHCPv6Tags  []string
	StatelessDHCPv6Tags []string
	DefaultNICConfig    string
	// DNS and Search are for networks that are configured statically.
	DNS, Search []string

	Unattend        string
	WindowsTimezone string

	ReportDir string // of the reports of Ganeti's scripts, empty for none

	QEMU string // program; its setting has the old name KVM
	// Accelerator is kvm, tcg, or auto for KVM where it works.
	Accelerator string
	Wipe        target.Wipe

	// AllowURL are patterns of URLs that may reach loopback, link-local or files.
	AllowURL              []string
	HTTPProxy, HTTPSProxy string
	NoProxy               []string
	SpoolDir              string
	KeyringDir            string
	// VendorKeysDir are the keys that came with the program; CatalogueDirs hold the entries of
	// the catalogue, CatalogueMirror is asked instead of its vendors, empty for none.
	VendorKeysDir   string
	CatalogueDirs   []string
	CatalogueMirror string
	TLSCAFile       string // empty for none
	// TransferTimeout and TransferMinRate bound what servers may take; 0 means no limit.
	TransferTimeout time.Duration
	TransferMinRate int // KiB/s

	// VerifyImages, ImgDigest and ImgKeys are what is demanded of images, and what an
	// administrator says proves them.
	VerifyImages trust.Demand
	ImgDigest    trust.Digest // of no algorithm when there is none
	ImgKeys      []string

	// Parameters are OS parameters set by configuration files, in order.
	Parameters []Parameter
	// Origins are where settings were set, FILE:LINE, by their names.
	Origins map[string]problem.Origin
}

// Where says where a setting was set, for people.
func (c *Config) Where(name string) string {
	if at, ok := c.Origins[name]; ok {
		return name + " in " + string(at)
	}
	return "the default of " + name
}

// Parameter is an OS parameter with the file it comes from.
type Parameter struct {
	Name   string // of [spec.Parameter]
	Value  string
	Origin problem.Origin
}

// File is one configuration file to read.
type File struct {
	Path     string
	Required bool // its absence is an error
}

// DefaultPath is the configuration file of a node.
const DefaultPath = "/etc/default/snf-image"

// DefaultFiles returns the files of a node in the order they are read; what is
// set later wins.
func DefaultFiles() []File {
	return []File{
		{Path: "/etc/snf-image/snf-image.conf"},
		{Path: "/etc/snf-image/backends/src/local.conf"},
		{Path: DefaultPath},
	}
}

// Files returns what to read for --config: that file, which must exist, or the
// default files when path is empty.
func Files(path string) []File {
	if path == "" {
		return DefaultFiles()
	}
	return []File{{Path: path, Required: true}}
}

// Load reads the files in order. The Config is complete with defaults; it is
// nil when a problem is an error.
func Load(files ...File) (*Config, problem.List) {
	r := newReader()
	r.load(files)
	return r.config()
}

// load reads files in order.
func (r *reader) load(files []File) {
	for _, f := range files {
		data, err := shellfile.Load(f.Path)
		if errors.Is(err, fs.ErrNotExist) && !f.Required {
			continue
		}
		if err != nil {
			r.problems = append(r.problems, problem.Problem{
				Severity: problem.Error, Origin: problem.Origin(f.Path), Message: err.Error(), Remedy: shellfile.Remedy(err), Rule: err,
			})
			continue
		}
		r.read(f.Path, data)
	}
}

// Parse reads one configuration file from memory.
func Parse(path string, data []byte) (*Config, problem.List) {
	r := newReader()
	r.read(path, data)
	return r.config()
}
