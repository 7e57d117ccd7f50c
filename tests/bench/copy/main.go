// Command copy measures how long an image takes to get onto a disk, against
// the tools one would use instead.
//
//	go build -o /tmp/bench ./tests/bench/copy && sudo /tmp/bench
//
// It makes a sparse raw image with incompressible data in extents like those of
// an installed system, warms it, and lets every contestant write it in turn, in
// another order each round, to a new file and to a loop device full of other
// data. A run ends when its fsync does. The floor is dd writing nothing but the
// data. It prints a table in Markdown.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"

	"golang.org/x/sys/unix"

	"snf-image/internal/host/source"
	"snf-image/internal/host/target"
	"snf-image/internal/host/worker"
	"snf-image/internal/spec"
)

func main() {
	if os.Args[0] == worker.Name {
		exit(worker.Main(context.Background(), os.Stdin, os.Stdout))
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, unix.SIGTERM)
	defer stop()
	if len(os.Args) == 4 && os.Args[1] == "deploy" {
		exit(deploy(ctx, os.Args[2], os.Args[3]))
	}
	exit(run(ctx, os.Args[1:]))
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

// config is what the flags say.
type config struct {
	dir        string
	size, data int64
	rounds     int
	targets    []string
	only       string
}

func run(ctx context.Context, args []string) error {
	var c config
	f := flag.NewFlagSet("copy", flag.ContinueOnError)
	f.StringVar(&c.dir, "dir", "/var/tmp", "where to work; not a tmpfs")
	size := f.Int("size", 10<<10, "MiB of the image")
	data := f.Int("data", 1536, "MiB of data in it")
	f.IntVar(&c.rounds, "rounds", 7, "how often each contestant runs")
	targets := f.String("targets", "file,loop", "new file, loop device")
	f.StringVar(&c.only, "only", "", "contestants to run, by first word, comma-separated; default all")
	if err := f.Parse(args); err != nil {
		return err
	}
	if os.Geteuid() != 0 {
		return errors.New("needs root for loop devices")
	}
	c.size, c.data, c.targets = int64(*size)<<20, int64(*data)<<20, strings.Split(*targets, ",")
	return c.bench(ctx)
}

// deploy is our contestant: what the deploy command does for a copy.
func deploy(ctx context.Context, image, disk string) error {
	img, err := source.Open(image)
	if err != nil {
		return err
	}
	d, err := target.Open(disk, target.Options{Image: img.File, ImageSize: img.Stored})
	if err != nil {
		return err
	}
	head, err := target.NewEnd("head")
	if err != nil {
		return err
	}
	tail, err := target.NewEnd("tail")
	if err != nil {
		return err
	}
	w, err := worker.Start(ctx, worker.Job{
		Format: spec.Raw, Stored: img.Stored, DiskSize: d.Size, Wipe: target.WipeAuto,
		From: img.File, To: d.File, Head: head, Tail: tail, UID: 65534, GID: 65534,
	})
	if err != nil {
		return err
	}
	r, err := w.Wait()
	if err != nil {
		return err
	}
	if os.Getenv("BENCH_VERBOSE") != "" {
		fmt.Fprintf(os.Stderr, "%+v\n", r)
	}
	return target.Commit(ctx, d, head, tail)
}
