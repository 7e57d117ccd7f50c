// Package modules loads the kernel modules of the helper image, by the lists that its
// builder made. It loads nothing else.
package modules

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// file lists the kernel modules of the helper image.
const file = "/etc/snf-image/modules.json"

// Lists are paths of kernel modules in the order they must be loaded.
type Lists struct {
	Boot   []string            `json:"boot"`
	Demand map[string][]string `json:"demand"` // by driver, and "quota"
}

// Read reads the lists.
func Read() (Lists, error) {
	var m Lists
	data, err := os.ReadFile(file)
	if err != nil {
		return m, fmt.Errorf("reading the list of modules: %w", err)
	}
	if err := json.Unmarshal(data, &m); err != nil {
		return m, fmt.Errorf("reading %s: %w", file, err)
	}
	return m, nil
}

// Load loads the modules; one that is there already is fine.
func Load(paths []string) error {
	for _, p := range paths {
		if err := loadModule(p); err != nil {
			return fmt.Errorf("loading kernel module %s: %w", p, err)
		}
	}
	return nil
}

// loadModule loads one module; one that is there already is fine.
func loadModule(path string) error {
	if strings.HasSuffix(path, ".xz") {
		return loadPacked(path)
	}
	image, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	err = unix.InitModule(unsigned(image), "")
	if errors.Is(err, unix.EEXIST) {
		return nil
	}
	return err
}

// loadPacked has the kernel decompress the module: large ones that few runs load are
// stored so.
func loadPacked(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	const compressed = 4 // MODULE_INIT_COMPRESSED_FILE of linux/module.h
	err = unix.FinitModule(int(f.Fd()), "", compressed)
	if errors.Is(err, unix.EEXIST) {
		return nil
	}
	return err
}

// signed ends a module with a signature (kernel, include/linux/module_signature.h).
const signed = "~Module signature appended~\n"

// unsigned returns the module without its signature. The host has verified the
// whole helper image; having the kernel verify each module again would cost a
// tenth of the helper's time under emulation.
func unsigned(image []byte) []byte {
	body, ok := bytes.CutSuffix(image, []byte(signed))
	const info = 12 // struct module_signature, its last four bytes the length
	if !ok || len(body) < info {
		return image
	}
	length := int64(binary.BigEndian.Uint32(body[len(body)-4:])) + info
	if length > int64(len(body)) {
		return image
	}
	return body[:int64(len(body))-length]
}
