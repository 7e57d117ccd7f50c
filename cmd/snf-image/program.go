package main

import (
	"context"
	"io"
)

// runAs carries out the command line of the program called name: this binary
// has several names.
func runAs(ctx context.Context, stdin io.Reader, stdout, stderr io.Writer, name string, args []string) error {
	a := &app{stdin: stdin, stdout: stdout, stderr: stderr}
	switch name {
	case updateHelper:
		return a.execute(ctx, a.updateHelperCommand(), args)
	case createHelper:
		return a.execute(ctx, a.createHelperCommand(), args)
	default:
		return run(ctx, stdin, stdout, stderr, args)
	}
}
