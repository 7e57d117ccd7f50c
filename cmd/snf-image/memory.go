package main

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// guardMemory keeps the secrets in this process's memory from core files, and from other
// processes of the same user (prctl(2), PR_SET_DUMPABLE). What the process starts
// inherits the limit of core files; execve(2) makes it dumpable again, and the image
// worker, which is this program, comes here itself.
func guardMemory() error {
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return fmt.Errorf("guarding the memory of this process: %w", err)
	}
	if err := unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{}); err != nil {
		return fmt.Errorf("forbidding core files: %w", err)
	}
	return nil
}
