package confine

import (
	"debug/elf"
	"os"
	"path/filepath"
	"strings"
)

// RootFor returns the root that the program at path needs: its file, the libraries of this
// node, and data, names of directories beside its own (share/qemu). It is nil for what is
// not compiled, such as a script, which may need anything.
func RootFor(path string, data ...string) *Root {
	f, err := elf.Open(path)
	if err != nil {
		return nil
	}
	defer func() { _ = f.Close() }()
	loader := interpreter(f)
	if loader == "" { // linked statically
		return &Root{}
	}
	// A link to a program elsewhere, as of alternatives, has its data there.
	prefixes := []string{"/", "/usr", "/usr/local"}
	if real, err := filepath.EvalSymlinks(path); err == nil {
		prefixes = append(prefixes, filepath.Dir(filepath.Dir(real)))
	}
	r := &Root{Paths: []string{loader, "/etc/ld.so.cache"}}
	for _, prefix := range unique(prefixes) {
		for _, name := range append(libraries(prefix, f.Machine), data...) {
			r.Paths = append(r.Paths, filepath.Join(prefix, name))
		}
	}
	return r
}

// OwnRoot returns the root that this program needs to start itself: none of the node's files,
// since it is linked statically but for tests.
func OwnRoot() *Root {
	if r := RootFor(self); r != nil {
		return r
	}
	return &Root{}
}

// NodeFor returns the root of the program at path that may read all files of the node, and execute
// nothing else. It is nil for what is not compiled.
func NodeFor(path string) *Root {
	f, err := elf.Open(path)
	if err != nil {
		return nil
	}
	defer func() { _ = f.Close() }()
	r := &Root{Node: true}
	if loader := interpreter(f); loader != "" {
		r.Paths = []string{loader}
	}
	return r
}

// interpreter is what starts a program that is linked dynamically (PT_INTERP).
func interpreter(f *elf.File) string {
	for _, p := range f.Progs {
		if p.Type != elf.PT_INTERP || p.Filesz > 4096 {
			continue
		}
		text := make([]byte, p.Filesz)
		if _, err := p.ReadAt(text, 0); err == nil {
			return strings.TrimRight(string(text), "\x00")
		}
	}
	return ""
}

// libraries are the directories of libraries below prefix: that of the architecture where
// distributions have one for each, else the common ones.
func libraries(prefix string, machine elf.Machine) []string {
	triple := map[elf.Machine]string{elf.EM_X86_64: "x86_64-linux-gnu", elf.EM_AARCH64: "aarch64-linux-gnu"}[machine]
	own := filepath.Join("lib", triple)
	if info, err := os.Stat(filepath.Join(prefix, own)); triple != "" && err == nil && info.IsDir() {
		return []string{own}
	}
	return []string{"lib64", "lib"}
}

func unique(names []string) (all []string) {
	seen := map[string]bool{}
	for _, n := range names {
		if !seen[n] {
			all = append(all, n)
		}
		seen[n] = true
	}
	return all
}
