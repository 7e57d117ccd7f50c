package build

import (
	"archive/tar"
	"bufio"
	"bytes"
	"debug/elf"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/therootcompany/xz"
)

// kernelFiles is what a kernel package holds for us.
type kernelFiles struct {
	version string
	bzImage []byte
	modules map[string]module // by name, with underscores
	builtin map[string]bool
}

type module struct {
	path string // in the initramfs, without a leading slash
	data []byte // compressed while packed is set
	// packed means that data is xz, as Debian packages modules since trixie.
	packed bool
}

func newKernelFiles() *kernelFiles {
	return &kernelFiles{modules: map[string]module{}, builtin: map[string]bool{}}
}

// visit takes the kernel, the modules and the list of those built in.
func (k *kernelFiles) visit(h *tar.Header, r io.Reader) error {
	if h.Typeflag != tar.TypeReg {
		return nil
	}
	dir, base := path.Split(h.Name)
	var err error
	switch {
	case dir == "boot/" && strings.HasPrefix(base, "vmlinuz-"):
		k.version = strings.TrimPrefix(base, "vmlinuz-")
		k.bzImage, err = io.ReadAll(r)
	case base == "modules.builtin":
		err = k.readBuiltin(r)
	case strings.HasSuffix(base, ".ko"), strings.HasSuffix(base, packedModule):
		m := module{path: strings.TrimSuffix(h.Name, ".xz"), packed: strings.HasSuffix(base, ".xz")}
		m.data, err = io.ReadAll(r)
		k.modules[moduleName(base)] = m
	}
	return err
}

func (k *kernelFiles) readBuiltin(r io.Reader) error {
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		k.builtin[moduleName(path.Base(lines.Text()))] = true
	}
	return lines.Err()
}

// packedModule ends the file names of compressed modules.
const packedModule = ".ko.xz"

// largeModule is the size from which a module that not every run loads stays compressed,
// in bytes: the kernel decompresses it then.
const largeModule = 1 << 20

// maxModule bounds the size of a decompressed module, in bytes.
const maxModule = 64 << 20

// unpack returns m decompressed: the helper shall not spend its time on that.
func (m module) unpack() (module, error) {
	if !m.packed {
		return m, nil
	}
	r, err := xz.NewReader(bytes.NewReader(m.data), xz.DefaultDictMax)
	if err != nil {
		return m, err
	}
	data, err := io.ReadAll(io.LimitReader(r, maxModule+1))
	if err == nil && len(data) > maxModule {
		err = fmt.Errorf("longer than %d bytes", maxModule)
	}
	return module{path: m.path, data: data}, err
}

// is reports whether file, an absolute path, is that of m.
func (m module) is(file string) bool { return strings.TrimSuffix(file, ".xz") == "/"+m.path }

// moduleName returns the name of a module by its file name; the kernel takes
// minus and underscore for the same.
func moduleName(file string) string {
	return strings.ReplaceAll(strings.TrimSuffix(strings.TrimSuffix(file, ".xz"), ".ko"), "-", "_")
}

// moduleLists is modules.json, which the agent reads.
type moduleLists struct {
	Boot   []string            `json:"boot"`
	Demand map[string][]string `json:"demand"`
}

// addModules adds the kernel modules the helper may load, and the lists.
func addModules(t tree, k *kernelFiles) error {
	var lists moduleLists
	var err error
	if lists.Boot, err = k.add(t, bootModules, maxModule); err != nil {
		return err
	}
	lists.Demand = map[string][]string{}
	for _, name := range slices.Sorted(maps.Keys(demandModules)) {
		if lists.Demand[name], err = k.add(t, demandModules[name], largeModule); err != nil {
			return err
		}
	}
	b, err := json.MarshalIndent(lists, "", "  ")
	if err != nil {
		return err
	}
	t.file(modulesPath, 0o644, append(b, '\n'))
	return nil
}

// add adds the modules of those names and what they depend on to t, and returns
// their absolute paths in loading order. Those that are larger than limit stay as they
// are packaged.
func (k *kernelFiles) add(t tree, names []string, limit int) ([]string, error) {
	order := []string{}
	var visit func(name, neededBy string) error
	visit = func(name, neededBy string) error {
		packaged, ok := k.modules[name]
		if k.builtin[name] || slices.ContainsFunc(order, packaged.is) {
			return nil
		}
		if !ok {
			return fmt.Errorf("kernel module %s, needed by %s, is not in the kernel package", name, neededBy)
		}
		m, err := packaged.unpack()
		if err != nil {
			return fmt.Errorf("decompressing kernel module %s: %w", name, err)
		}
		depends, err := m.depends()
		if err != nil {
			return fmt.Errorf("reading kernel module %s: %w", name, err)
		}
		for _, d := range depends {
			if err := visit(d, name); err != nil {
				return err
			}
		}
		if packaged.packed && len(m.data) > limit {
			m = packaged
			m.path += ".xz"
		}
		t.file(m.path, 0o644, m.data)
		order = append(order, "/"+m.path)
		return nil
	}
	for _, name := range names {
		if err := visit(name, "the helper"); err != nil {
			return nil, err
		}
	}
	return order, nil
}

// depends returns the names of the modules m needs, from its section .modinfo:
// strings KEY=VALUE, each ended by a zero byte.
func (m module) depends() ([]string, error) {
	f, err := elf.NewFile(bytes.NewReader(m.data))
	if err != nil {
		return nil, err
	}
	section := f.Section(".modinfo")
	if section == nil {
		return nil, errors.New("no section .modinfo")
	}
	info, err := section.Data()
	if err != nil {
		return nil, err
	}
	for entry := range strings.SplitSeq(string(info), "\x00") {
		if list, ok := strings.CutPrefix(entry, "depends="); ok && list != "" {
			return strings.Split(strings.ReplaceAll(list, "-", "_"), ","), nil
		}
	}
	return nil, nil
}
