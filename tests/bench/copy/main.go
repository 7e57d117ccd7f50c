// Command copy measures how long an image takes to get onto a disk, against
// the tools one would use instead.
//
//	go build -o /tmp/bench ./tests/bench/copy && sudo /tmp/bench
//
// It takes a raw disk, or makes a sparse one with incompressible data in extents like
// those of an installed system, packs it in each way that is asked for, warms it, and
// lets every contestant write it in turn, in another order each round, to a new file and
// to a loop device full of other data. A run ends when its fsync does. The floor is dd
// writing nothing but the data. It prints tables in Markdown.
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

	"snf-image/internal/host/confine"
	"snf-image/internal/host/fetch"
	"snf-image/internal/host/source"
	"snf-image/internal/host/target"
	"snf-image/internal/host/worker"
	"snf-image/internal/spec"
)

func main() {
	if os.Args[0] == confine.Name {
		exit(confine.Launch(os.Args))
	}
	if os.Args[0] == worker.Name {
		exit(worker.Main(context.Background(), os.Stdin, os.Stdout))
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, unix.SIGTERM)
	defer stop()
	if len(os.Args) == 4 && os.Args[1] == "deploy" {
		exit(deploy(ctx, os.Args[2], os.Args[3]))
	}
	if len(os.Args) == 4 && os.Args[1] == "serve" {
		exit(serve(os.Args[2], os.Args[3]))
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
	rows       []string
	only       string
	base, keep string
}

func run(ctx context.Context, args []string) error {
	var c config
	f := flag.NewFlagSet("copy", flag.ContinueOnError)
	f.StringVar(&c.dir, "dir", "/var/tmp", "where to work; not a tmpfs")
	size := f.Int("size", 10<<10, "MiB of the image")
	data := f.Int("data", 1536, "MiB of data in it")
	f.IntVar(&c.rounds, "rounds", 7, "how often each contestant runs")
	targets := f.String("targets", "file,loop", "new file, loop device")
	f.StringVar(&c.base, "base", "", "the image to pack and write, a raw disk; default one of noise, of -size and -data")
	f.StringVar(&c.keep, "keep", "", "where to keep packed images of the base, by row, for the next time")
	names := f.String("rows", "raw", "kinds of images, or all, flat (10 GiB against 1 TiB) and cache (what stays in memory)")
	f.StringVar(&c.only, "only", "", "contestants to run, by first word, comma-separated; default all")
	if err := f.Parse(args); err != nil {
		return err
	}
	if os.Geteuid() != 0 {
		return errors.New("needs root for loop devices")
	}
	c.size, c.data, c.targets, c.rows = int64(*size)<<20, int64(*data)<<20, strings.Split(*targets, ","), strings.Split(*names, ",")
	return c.bench(ctx)
}

// deploy is our contestant: what the deploy command does for a copy.
func deploy(ctx context.Context, image, disk string) (err error) {
	client, err := fetch.New(fetch.Options{Allow: []string{"http://127.0.0.1:*/*", "http://" + serverAddress + ":*/*"}, Agent: "bench"})
	if err != nil {
		return err
	}
	found, err := source.Library{Fetch: client}.Find(image)
	if err != nil {
		return err
	}
	img, err := found.Open(ctx)
	if err != nil {
		return err
	}
	d, err := target.Open(disk, target.Options{Image: img.File})
	if err != nil {
		return err
	}
	job := worker.Job{
		Format: spec.Auto, Stored: img.Stored, Stream: img.Stream != nil, DiskSize: d.Size, Wipe: target.WipeAuto,
		From: img.File, To: d.File, UID: 65534, GID: 65534,
	}
	if job.Head, err = target.NewEnd("head"); err != nil {
		return err
	}
	if job.Tail, err = target.NewEnd("tail"); err != nil {
		return err
	}
	if job.Spool, err = os.CreateTemp("", "spool"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.Remove(job.Spool.Name())) }()
	w, err := worker.Start(ctx, job)
	if err != nil {
		return err
	}
	if img.Stream != nil {
		img.Stream.Feed()
	}
	r, err := w.Wait()
	if err != nil {
		return err
	}
	if os.Getenv("BENCH_VERBOSE") != "" {
		fmt.Fprintf(os.Stderr, "%+v\n", r)
	}
	return target.Commit(ctx, d, job.Head, job.Tail)
}
