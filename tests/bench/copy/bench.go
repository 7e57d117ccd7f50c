package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// contestant writes an image, or for the floor its data, to the disk.
type contestant struct {
	name     string
	shell    string // with $IMAGE, $PACKED, $URL, $DATA, $DISK, $WRITE and $SELF
	floor    bool
	fileOnly bool // it leaves what a used device held
}

// sample is one run.
type sample struct {
	wall, cpu time.Duration
	rss       int64 // bytes, of the largest process
}

func (c config) bench(ctx context.Context) error {
	dir, err := os.MkdirTemp(c.dir, "snf-image-bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	self, err := os.Executable()
	if err != nil {
		return err
	}
	b := bench{config: c, dir: dir, file: dir + "/disk", image: dir + "/image", env: []string{
		"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C", "IMAGE=" + dir + "/image", "DATA=" + dir + "/data", "PACKED=" + dir + "/packed",
		"SELF=" + self, "TMPDIR=" + dir, "BENCH_VERBOSE=" + os.Getenv("BENCH_VERBOSE"),
	}}
	if err := b.makeBase(ctx); err != nil {
		return err
	}
	fmt.Printf("%d rounds.\n", c.rounds)
	for _, r := range b.wanted() {
		if err := b.row(ctx, r); err != nil {
			return fmt.Errorf("%s: %w", r.name, err)
		}
	}
	if slices.Contains(c.rows, "flat") {
		err = b.flat(ctx)
	}
	if err == nil && slices.Contains(c.rows, "cache") {
		err = b.cache(ctx)
	}
	return err
}

// bench is the rounds on one kind of image and target.
type bench struct {
	config
	dir, image, packed, file, disk string
	kind                           string
	where                          []string // what contestants run under
	env                            []string
	url                            string // of what is packed
	players                        []contestant
	samples                        map[string][]sample
}

// makeBase makes the image: of noise, or a copy of an installed system.
func (b *bench) makeBase(ctx context.Context) error {
	if b.base == "" {
		n, err := makeImage(b.image, b.dir+"/data", b.size, b.data)
		fmt.Printf("Image: %d MiB, %d MiB of noise in %d extents.\n", b.size>>20, b.data>>20, n)
		return err
	}
	st, err := os.Stat(b.base)
	if err != nil {
		return err
	}
	b.size = st.Size()
	fmt.Printf("Image: an installed system, %d MiB.\n", b.size>>20)
	return b.run(ctx, `cp --sparse=always "$BASE" "$IMAGE"`, "BASE="+b.base)
}

// run runs a script.
func (b *bench) run(ctx context.Context, script string, env ...string) error {
	cmd := exec.CommandContext(ctx, "sh", "-ec", script)
	cmd.Env, cmd.Stderr, cmd.Dir = append(b.env, env...), os.Stderr, b.dir
	return cmd.Run()
}

// wanted returns the rows that were asked for.
func (b *bench) wanted() []row {
	var list []row
	for _, r := range rows() {
		if slices.Contains(b.rows, "all") || slices.Contains(b.rows, r.name) {
			list = append(list, r)
		}
	}
	return list
}

// serve serves a directory by http at an address, and prints where.
func serve(dir, address string) error {
	l, err := net.Listen("tcp", address+":0")
	if err != nil {
		return err
	}
	fmt.Println(l.Addr())
	return http.Serve(l, http.FileServer(http.Dir(dir)))
}

// startServer starts a server as a child, in its end of a line if there is one.
func (b *bench) startServer(ctx context.Context, where string) (stop func(), err error) {
	args := []string{os.Args[0], "serve", b.dir, "127.0.0.1"}
	if where != "" {
		args = append([]string{"ip", "netns", "exec", serving}, append(args[:3], serverAddress)...)
	}
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	stop = func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		stop()
		return nil, err
	}
	b.url = "http://" + strings.TrimSpace(line) + "/" + filepath.Base(b.packed)
	return stop, nil
}

// row measures one kind of image.
func (b *bench) row(ctx context.Context, r row) error {
	b.where = nil
	if err := b.pack(ctx, r); err != nil {
		return err
	}
	if r.where != "" {
		down, err := limitedNetwork()
		if err != nil {
			fmt.Printf("\n### %s\n\nNot measured: %v\n", r.name, err)
			return nil
		}
		defer down()
		b.where = []string{"ip", "netns", "exec", limited}
	}
	stop, err := b.startServer(ctx, r.where)
	if err != nil {
		return err
	}
	defer stop()
	for _, b.kind = range b.targets {
		if err := b.onTarget(ctx, r); err != nil {
			return fmt.Errorf("%s: %w", b.kind, err)
		}
	}
	return nil
}

// pack makes the image of a row, or takes the one that was kept.
func (b *bench) pack(ctx context.Context, r row) error {
	if r.pack == "" {
		b.packed = b.image
		return b.run(ctx, `bmaptool -q create -o "$IMAGE.bmap" "$IMAGE"`)
	}
	kept := filepath.Join(b.keep, r.name)
	b.packed = b.dir + "/packed"
	if b.keep != "" {
		if _, err := os.Stat(kept); err == nil {
			return b.run(ctx, `ln -sf "$KEPT" "$PACKED"`, "KEPT="+kept)
		}
	}
	_ = os.Remove(b.packed) // of another row
	if err := b.run(ctx, r.pack); err != nil || b.keep == "" {
		return err
	}
	return b.run(ctx, `mv "$PACKED" "$KEPT" && ln -s "$KEPT" "$PACKED"`, "KEPT="+kept)
}

// onTarget measures one kind of image on one kind of target.
func (b *bench) onTarget(ctx context.Context, r row) error {
	if err := newFile(b.file, b.size); err != nil {
		return err
	}
	defer os.Remove(b.file)
	b.disk, b.samples, b.players = b.file, map[string][]sample{}, nil
	if b.kind == "loop" {
		out, err := exec.Command("losetup", "--find", "--show", b.file).Output()
		if err != nil {
			return fmt.Errorf("losetup: %w", err)
		}
		b.disk = strings.TrimSpace(string(out))
		defer func() { _ = exec.Command("losetup", "--detach", b.disk).Run() }()
	}
	for _, p := range r.contestants(b.base == "") {
		word, _, _ := strings.Cut(p.name, " ")
		if (b.only == "" || slices.Contains(strings.Split(b.only, ","), strings.Trim(word, ":"))) && (b.kind == "file" || !p.fileOnly) {
			b.players = append(b.players, p)
		}
	}
	for round := range b.rounds {
		for i := range b.players {
			if err := b.turn(ctx, b.players[(i+round)%len(b.players)], round); err != nil {
				return err
			}
		}
	}
	b.print(r.name)
	return nil
}

// contestants returns the players, and with an image of noise the floor.
func (r row) contestants(noise bool) []contestant {
	if !noise || r.pack != "" {
		return r.players
	}
	return append(r.players, contestant{
		name: "floor: dd of the data alone", shell: `dd bs=4M oflag=direct conv=fsync,notrunc status=none if="$DATA" of="$DISK"`, floor: true,
	})
}

// turn restores the target, warms the image, runs p and checks what it wrote.
func (b *bench) turn(ctx context.Context, p contestant, round int) error {
	if err := b.restore(); err != nil {
		return err
	}
	for _, f := range []string{b.packed, b.dir + "/data"} {
		if err := warm(f); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	s, err := b.time(ctx, p)
	if err != nil {
		return fmt.Errorf("%s: %w", p.name, err)
	}
	b.samples[p.name] = append(b.samples[p.name], s)
	fmt.Fprintf(os.Stderr, "%s, round %d: %-34s %6.2f s\n", b.kind, round+1, p.name, s.wall.Seconds())
	if p.floor || round > 0 && (p.name != "snf-image" || round < b.rounds-1) {
		return nil // comparing takes longer than copying: the first round, and our last
	}
	if out, err := exec.CommandContext(ctx, "cmp", b.image, b.disk).CombinedOutput(); err != nil {
		return fmt.Errorf("%s wrote something else: %s (%w)", p.name, out, err)
	}
	return nil
}

func (b *bench) restore() error {
	if b.kind == "file" {
		return newFile(b.file, b.size)
	}
	return fill(b.disk, b.size)
}

// newFile makes an empty sparse file and waits until the old one is gone.
func newFile(path string, size int64) error {
	_ = os.Remove(path) // it may not be there
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := f.Truncate(size); err != nil {
		return err
	}
	syscall.Sync()
	return nil
}

func (b *bench) time(ctx context.Context, p contestant) (sample, error) {
	args := append(slices.Clone(b.where), "sh", "-ec", p.shell)
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Env, cmd.Stderr = append(b.env, "DISK="+b.disk, "PACKED="+b.packed, "WRITE="+writer(b.kind)+b.disk, "URL="+b.url), os.Stderr
	cmd.Dir = b.dir
	start := time.Now()
	err := cmd.Run()
	s := sample{wall: time.Since(start)}
	if err != nil {
		return s, err
	}
	usage := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	s.cpu, s.rss = cmd.ProcessState.UserTime()+cmd.ProcessState.SystemTime(), usage.Maxrss<<10
	return s, nil
}
