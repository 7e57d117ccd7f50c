package main

import (
	"fmt"

	"golang.org/x/sys/unix"

	"snf-image/internal/report"
)

// minFiles is how many files a command has to be allowed to open at once. A deployment
// takes 33 and a few for each further disk, and its children set limits of their own.
const minFiles = 128

// enoughFiles refuses a limit under which a deployment would fail half-way, with an error
// about whichever file could not be opened.
func enoughFiles() error {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil || limit.Cur >= minFiles {
		return nil // with an unknown limit, go on
	}
	return &report.Failure{
		Kind: report.Node, What: "looking at the limit of open files", On: "this process",
		Cause:  fmt.Errorf("%d are allowed, and %d are needed", limit.Cur, minFiles),
		Remedy: "raise it (ulimit -n, LimitNOFILE of a systemd unit)",
	}
}
