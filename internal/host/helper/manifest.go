package helper

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"time"
)

// ManifestSchema is the version of the manifest's own form.
const ManifestSchema = 2

const (
	manifestName = "manifest.json"
	maxManifest  = 1 << 20
	maxFile      = 1 << 30
)

// DebianCloud is the flavour with the kernel of linux-image-cloud-amd64.
const DebianCloud = "debian-cloud"

// Manifest describes a helper image: what it is for, what it was made of, and
// the files it consists of.
type Manifest struct {
	Schema    int       `json:"schema"`
	Release   string    `json:"release"`  // of snf-image
	Protocol  int       `json:"protocol"` // channel.Version
	Flavour   string    `json:"flavour"`
	Suite     string    `json:"suite"`  // of Debian, where all packages come from
	Newest    string    `json:"newest"` // date of the newest package, YYYY-MM-DD
	Kernel    string    `json:"kernel"` // version, as uname -r says
	Vmlinux   File      `json:"vmlinux"`
	Initramfs File      `json:"initramfs"`
	Copyright File      `json:"copyright"`
	Contents  string    `json:"contents"` // digest of contents.json, which the agent sends in its hello
	Packages  []Package `json:"packages"`
}

// File is a file of the helper image.
type File struct {
	Name   string `json:"name"` // in HELPER_DIR
	Size   int64  `json:"size"`
	Digest string `json:"sha256"`
}

// Package is one Debian package the helper image was made of.
type Package struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	Digest  string `json:"sha256"` // of the package file
}

// files returns the files of m.
func (m *Manifest) files() []File { return []File{m.Vmlinux, m.Initramfs, m.Copyright} }

// NewFile names content after its kind and digest.
func NewFile(kind string, content []byte) File {
	digest := DigestOf(content)
	return File{Name: kind + "-" + digest[:16], Size: int64(len(content)), Digest: digest}
}

// encode returns m as the text of manifest.json.
func (m *Manifest) encode() ([]byte, error) {
	b, err := json.MarshalIndent(m, "", "  ")
	return append(b, '\n'), err
}

// readManifest reads and checks the manifest in dir, without looking at the
// files it names.
func readManifest(dir string) (*Manifest, error) {
	f, err := os.Open(filepath.Join(dir, manifestName))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxManifest+1))
	if err != nil {
		return nil, err
	}
	if len(b) > maxManifest {
		return nil, fmt.Errorf("longer than %d bytes", maxManifest)
	}
	return parseManifest(b)
}

func parseManifest(b []byte) (*Manifest, error) {
	m := &Manifest{}
	d := json.NewDecoder(bytes.NewReader(b))
	if err := d.Decode(m); err != nil {
		return nil, fmt.Errorf("parsing the manifest: %w", err)
	}
	if m.Schema != ManifestSchema {
		return nil, fmt.Errorf("manifest of schema %d, this version reads %d", m.Schema, ManifestSchema)
	}
	for _, f := range m.files() {
		if err := f.check(); err != nil {
			return nil, err
		}
	}
	if !digestForm.MatchString(m.Contents) {
		return nil, fmt.Errorf("invalid digest of the contents: %q", m.Contents)
	}
	if _, err := time.Parse(time.DateOnly, m.Newest); err != nil {
		return nil, fmt.Errorf("invalid date %q of the newest package", m.Newest)
	}
	return m, nil
}

var (
	nameForm   = regexp.MustCompile(`^[a-z]+-[0-9a-f]{16}$`)
	digestForm = regexp.MustCompile(`^[0-9a-f]{64}$`)
)

// check refuses an entry that could lead out of the directory or is nonsense.
func (f File) check() error {
	switch {
	case !nameForm.MatchString(f.Name):
		return fmt.Errorf("invalid file name %q", f.Name)
	case !digestForm.MatchString(f.Digest):
		return fmt.Errorf("invalid digest %q for %s", f.Digest, f.Name)
	case f.Size <= 0 || f.Size > maxFile:
		return fmt.Errorf("size %d of %s is out of range", f.Size, f.Name)
	}
	return nil
}
