package main

import (
	"bytes"
	"debug/elf"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// early is what the rogue agent does before it says hello, by the size of its disk in
// MiB: it knows nothing else of the run then.
var early = map[int64]func() error{129: crash, 130: oops}

// diskMiB returns the size of the disk that is deployed, 0 without one.
func diskMiB() int64 {
	names, _ := filepath.Glob("/sys/block/*/serial")
	for _, name := range names {
		if serial, _ := os.ReadFile(name); strings.TrimSpace(string(serial)) == "disk0" {
			text, _ := os.ReadFile(filepath.Join(filepath.Dir(name), "size"))
			sectors, _ := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
			return sectors * 512 >> 20
		}
	}
	return 0
}

// crash lets the kernel panic.
func crash() error {
	if err := os.WriteFile("/proc/sysrq-trigger", []byte("c"), 0); err != nil {
		return err
	}
	return errors.New("the kernel did not panic")
}

// oops lets the kernel oops in a process of its own, which is all the kernel ends, and
// stays for ever: only a kernel that takes an oops for a panic ends the machine.
func oops() error {
	if out, err := exec.Command("/init", oopsArgument).CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "rogue: after the oops: %v: %s\n", err, out)
	}
	for {
		time.Sleep(time.Hour)
	}
}

const oopsArgument = "oops"

// loadBroken loads a module whose first function has an instruction that does not
// exist. A breakpoint would be a panic anyway.
func loadBroken() error {
	paths, err := filepath.Glob("/usr/lib/modules/*/kernel/fs/nls/nls_ascii.ko")
	if err != nil || len(paths) != 1 {
		return fmt.Errorf("looking for the module: %q, %v", paths, err)
	}
	offset, err := entry(paths[0])
	if err != nil {
		return err
	}
	module, err := os.ReadFile(paths[0])
	if err != nil {
		return err
	}
	// What the kernel itself changes of a function comes first.
	if string(module[offset:offset+4]) == "\xf3\x0f\x1e\xfa" { // endbr64
		offset += 4
	}
	if module[offset] == 0xe8 { // call __fentry__
		offset += 5
	}
	module[offset], module[offset+1] = 0x0f, 0x0b // ud2
	// The kernel takes a module without a signature, but not one with a wrong one.
	module = bytes.TrimSuffix(module, []byte("~Module signature appended~\n"))
	return fmt.Errorf("loading the module: %w", unix.InitModule(module, ""))
}

// entry returns where in the file the first function of a module begins.
func entry(path string) (uint64, error) {
	f, err := elf.Open(path)
	if err != nil {
		return 0, err
	}
	defer func() { _ = f.Close() }()
	symbols, err := f.Symbols()
	if err != nil {
		return 0, err
	}
	for _, s := range symbols {
		if s.Name == "init_module" && int(s.Section) < len(f.Sections) {
			return f.Sections[s.Section].Offset + s.Value, nil
		}
	}
	return 0, errors.New("the module has no init_module")
}
