// Command snf-image puts an operating system image on a disk and makes it a
// particular machine, inside a helper VM. See "snf-image --help".
//
// It is large because it has every command and every script of the OS definition; what
// they decide lies in packages of internal/host.
package main

import (
	"context"
	"os"
	"path/filepath"

	"snf-image/internal/host/confine"
	"snf-image/internal/host/ganeti"
	"snf-image/internal/host/worker"
)

// version and commit are set by the linker.
var (
	version = "0.0.0-unreleased"
	commit  = "unknown"
)

func main() {
	ctx, stop := withSignals(context.Background())
	err := guardMemory()
	switch name := filepath.Base(os.Args[0]); {
	case err != nil:
	case os.Args[0] == confine.Name:
		err = confine.Launch(os.Args)
	case os.Args[0] == worker.Name:
		err = worker.Main(ctx, os.Stdin, os.Stdout)
	case ganeti.IsScript(name):
		env := ganeti.NewEnvironment(os.Environ())
		os.Clearenv() // it holds secrets, which no child may inherit
		err = runScript(ctx, os.Stdin, os.Stdout, os.Stderr, os.Args, env)
	default:
		err = runAs(ctx, os.Stdin, os.Stdout, os.Stderr, name, os.Args[1:])
	}
	stop()
	printFailure(os.Stderr, err)
	os.Exit(exitCode(err))
}
