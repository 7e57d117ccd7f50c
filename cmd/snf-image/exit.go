package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"snf-image/internal/report"
)

// interrupted is the cause of a context that a signal ended.
type interrupted struct{ signal syscall.Signal }

func (i interrupted) Error() string { return fmt.Sprintf("stopped by signal %q", i.signal) }

// withSignals returns a context that ends with the first signal that asks the
// program to stop, except those that were ignored at the start (nohup). A second one
// ends the program at once. When the reader of the output goes away, writing fails and
// the deployment goes on.
func withSignals(parent context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(parent)
	ch := make(chan os.Signal, 1)
	for _, s := range []os.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP} {
		if !signal.Ignored(s) {
			signal.Notify(ch, s)
		}
	}
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE) // not Ignore, which children would inherit
	go func() {
		if s, ok := (<-ch).(syscall.Signal); ok {
			signal.Stop(ch)
			cancel(interrupted{s})
		}
	}()
	return ctx, func() {
		signal.Stop(ch)
		close(ch)
		cancel(nil)
	}
}

// printFailure prints the last line of the log for err.
func printFailure(stderr io.Writer, err error) {
	if err != nil {
		fmt.Fprintf(stderr, "snf-image: error: %s\n", report.Printable(err.Error()))
	}
}

// exitCode chooses the exit code for err, as documented in docs/operating.md.
func exitCode(err error) int {
	if err == nil {
		return 0
	}
	if s, ok := errors.AsType[interrupted](err); ok {
		return 128 + int(s.signal)
	}
	switch report.KindOf(err) {
	case report.Usage:
		return 2
	case report.Image:
		return 3
	case report.Disk:
		return 4
	case report.Busy:
		return 5
	case report.HelperImage:
		return 6
	case report.Helper:
		return 7
	case report.Task:
		return 8
	case report.Timeout:
		return 9
	case report.Node:
		return 10
	default:
		return 1
	}
}
