package build

import (
	"archive/tar"
	"bytes"
	"debug/elf"
	"fmt"
	"io"
	"path"
	"strings"
)

// libraryDir is where every shared library goes; the dynamic linker of Debian
// looks there without a cache.
const libraryDir = "usr/lib/x86_64-linux-gnu"

// pool holds the shared libraries the initramfs may take, by file name.
type pool struct {
	files map[string][]byte
	links map[string]string // file name → file name
}

func newPool() *pool { return &pool{files: map[string][]byte{}, links: map[string]string{}} }

// visit puts the shared libraries of a package into p.
func (p *pool) visit(h *tar.Header, r io.Reader) error {
	dir, base := path.Split(h.Name)
	if path.Clean(dir) != libraryDir || !strings.Contains(base, ".so") {
		return nil
	}
	switch h.Typeflag {
	case tar.TypeReg:
		b, err := io.ReadAll(r)
		p.files[base] = b
		return err
	case tar.TypeSymlink:
		p.links[base] = path.Base(h.Linkname)
	}
	return nil
}

// library returns the library with that file name.
func (p *pool) library(name string) ([]byte, bool) {
	b, ok := p.files[name]
	if !ok {
		b, ok = p.files[p.links[name]]
	}
	return b, ok
}

// addLibraries adds to t the dynamic linker and the libraries the programs in t
// need, and those that these need.
func addLibraries(t tree, p *pool) error {
	queue := t.paths()
	for len(queue) > 0 {
		name := queue[0]
		queue = queue[1:]
		needed, err := neededBy(t[name])
		if err != nil {
			return fmt.Errorf("reading %s: %w", name, err)
		}
		for _, lib := range needed {
			place := libraryDir + "/" + lib
			if _, ok := t[place]; ok {
				continue
			}
			data, ok := p.library(lib)
			if !ok {
				return fmt.Errorf("library %s, needed by %s, is in no package", lib, name)
			}
			t.file(place, 0o755, data)
			queue = append(queue, place)
		}
	}
	t.link("lib64/ld-linux-x86-64.so.2", "../lib/x86_64-linux-gnu/ld-linux-x86-64.so.2")
	return nil
}

// neededBy returns the file names of the libraries (DT_NEEDED) and the dynamic
// linker (PT_INTERP) n asks for; empty for a kernel module and for what is not an ELF file.
func neededBy(n node) ([]string, error) {
	if !n.isFile() || !bytes.HasPrefix(n.data, []byte(elf.ELFMAG)) {
		return nil, nil
	}
	f, err := elf.NewFile(bytes.NewReader(n.data))
	if err != nil {
		return nil, err
	}
	if f.Type == elf.ET_REL {
		return nil, nil
	}
	needed, err := f.ImportedLibraries()
	if err != nil {
		return nil, err
	}
	if linker, err := interpreter(f); linker != "" || err != nil {
		return append(needed, path.Base(linker)), err
	}
	return needed, nil
}

// interpreter returns the dynamic linker f names, "" if f is static.
func interpreter(f *elf.File) (string, error) {
	for _, p := range f.Progs {
		if p.Type != elf.PT_INTERP {
			continue
		}
		b, err := io.ReadAll(p.Open())
		return strings.TrimRight(string(b), "\x00"), err
	}
	return "", nil
}
