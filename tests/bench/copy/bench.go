package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// contestant writes the image, or for the floor its data, to the disk.
type contestant struct {
	name  string
	shell string // with $IMAGE, $DATA, $DISK and $SELF
	floor bool
}

// ours comes first.
func contestants() []contestant {
	return []contestant{
		{name: "snf-image", shell: `"$SELF" deploy "$IMAGE" "$DISK"`},
		{name: "nbdcopy --flush", shell: `nbdcopy --flush "$IMAGE" "$DISK"`},
		{name: "qemu-img convert -n -W -m 8", shell: `qemu-img convert -n -W -m 8 -f raw -O raw "$IMAGE" "$DISK" && sync "$DISK"`},
		{name: "dd bs=4M oflag=direct conv=fsync", shell: `dd bs=4M oflag=direct conv=fsync,notrunc status=none if="$IMAGE" of="$DISK"`},
		{name: "floor: dd of the data alone", shell: `dd bs=4M oflag=direct conv=fsync,notrunc status=none if="$DATA" of="$DISK"`, floor: true},
	}
}

// sample is one run.
type sample struct {
	wall, cpu time.Duration
	rss       int64 // bytes
}

func (c config) bench(ctx context.Context) error {
	dir, err := os.MkdirTemp(c.dir, "snf-image-bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	image, dense := dir+"/image", dir+"/data"
	n, err := makeImage(image, dense, c.size, c.data)
	if err != nil {
		return err
	}
	fmt.Printf("Image: %d MiB, %d MiB of data in %d extents; %d rounds.\n", c.size>>20, c.data>>20, n, c.rounds)
	self, err := os.Executable()
	if err != nil {
		return err
	}
	env := []string{
		"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C", "IMAGE=" + image, "DATA=" + dense, "SELF=" + self,
		"BENCH_VERBOSE=" + os.Getenv("BENCH_VERBOSE"),
	}
	for _, kind := range c.targets {
		b := bench{config: c, kind: kind, file: dir + "/disk", image: image, dense: dense, env: env}
		if err := b.run(ctx); err != nil {
			return fmt.Errorf("%s: %w", kind, err)
		}
	}
	return nil
}

// bench is all rounds on one kind of target.
type bench struct {
	config
	kind, file, disk, image, dense string
	env                            []string
	players                        []contestant
	samples                        map[string][]sample
}

func (b *bench) run(ctx context.Context) error {
	if err := newFile(b.file, b.size); err != nil {
		return err
	}
	defer os.Remove(b.file)
	b.disk, b.samples = b.file, map[string][]sample{}
	if b.kind == "loop" {
		out, err := exec.Command("losetup", "--find", "--show", b.file).Output()
		if err != nil {
			return fmt.Errorf("losetup: %w", err)
		}
		b.disk = strings.TrimSpace(string(out))
		defer func() { _ = exec.Command("losetup", "--detach", b.disk).Run() }()
	}
	for _, p := range contestants() {
		if word, _, _ := strings.Cut(p.name, " "); b.only == "" || slices.Contains(strings.Split(b.only, ","), strings.Trim(word, ":")) {
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
	b.print()
	return nil
}

// turn restores the target, warms the image, runs p and checks what it wrote.
func (b *bench) turn(ctx context.Context, p contestant, round int) error {
	if err := b.restore(); err != nil {
		return err
	}
	for _, f := range []string{b.image, b.dense} {
		if err := warm(f); err != nil {
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
	cmd := exec.CommandContext(ctx, "sh", "-c", p.shell)
	cmd.Env, cmd.Stderr = append(b.env, "DISK="+b.disk), os.Stderr
	cmd.Dir = filepath.Dir(b.image)
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

// print writes the table: our time against each contestant's of the same round.
func (b *bench) print() {
	fmt.Printf("\n### To a %s\n\n", map[string]string{"file": "new file", "loop": "loop device that held other data"}[b.kind])
	fmt.Println("| contestant | seconds, median (min–max) | CPU s | peak RSS MiB | snf-image takes × as long |")
	fmt.Println("|---|---|---|---|---|")
	ours := b.samples[b.players[0].name]
	for _, p := range b.players {
		mine := b.samples[p.name]
		var wall, cpu, rss, ratio []float64
		for i, s := range mine {
			wall = append(wall, s.wall.Seconds())
			cpu = append(cpu, s.cpu.Seconds())
			rss = append(rss, float64(s.rss)/(1<<20))
			ratio = append(ratio, ours[i].wall.Seconds()/s.wall.Seconds())
		}
		fmt.Printf("| %s | %.2f (%.2f–%.2f) | %.2f | %.0f | %.2f |\n", p.name,
			median(wall), slices.Min(wall), slices.Max(wall), median(cpu), slices.Max(rss), median(ratio))
	}
}

func median(v []float64) float64 {
	v = slices.Sorted(slices.Values(v))
	return (v[(len(v)-1)/2] + v[len(v)/2]) / 2
}
