package nbd

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"snf-image/internal/command"
	"snf-image/internal/host/confine"
	"snf-image/internal/report"
)

// resizeTool changes the size of a disk in a file.
const resizeTool = "qemu-img"

// resizeLimit is how long that may take: it writes tables, and for a smaller disk looks
// for what it has to give up.
const resizeLimit = 10 * time.Minute

// ServeQcow2 starts a server for the disk in the qcow2 image f, which has been checked to need
// no other file. The program gets the descriptor, and opens what that is by no other name. It
// does not lock the file: the caller has, against everybody.
func ServeQcow2(ctx context.Context, f *os.File, name string, readOnly bool) (*Server, error) {
	return start(ctx, name, func(path string) (confine.Child, error) {
		const file = 4 // behind the socket
		disk, err := json.Marshal(map[string]any{
			"driver": "qcow2", "backing": nil,
			"file": map[string]any{"driver": "file", "filename": inChild(file), "locking": "off"},
		})
		c := fileConfinement(path, file)
		c.Stage.Activate = true
		c.Interrupt, c.Grace = syscall.SIGTERM, writeBack
		c.Args = append([]string{path}, arguments("qcow2", "json:"+string(disk), readOnly)...)
		c.Files = []*os.File{f}
		return c, err
	})
}

// writeBack is how long a server that is told to end has to write the tables of a file: of one
// that is killed the file keeps clusters that nothing leads to.
const writeBack = 5 * time.Second

// inChild is the name a child has for one of its descriptors.
func inChild(file int) string { return "/proc/self/fd/" + strconv.Itoa(file) }

// arguments returns those of qemu-nbd. The format is given, so nothing is
// probed. It ends by itself after the last connection.
func arguments(format, disk string, readOnly bool) []string {
	args := []string{
		"--format=" + format, fmt.Sprintf("--shared=%d", clients),
		"--cache=writeback", "--discard=unmap", "--detect-zeroes=off",
	}
	if readOnly {
		args = append(args, "--read-only")
	}
	return append(args, "--", disk)
}

// ResizeQcow2 changes the size of the disk in the qcow2 image f, which nobody else may have
// open.
func ResizeQcow2(ctx context.Context, f *os.File, name string, size int64) error {
	path, err := command.Find(resizeTool)
	if err != nil {
		return &report.Failure{
			Kind: report.Node, What: "changing the size of the disk", On: name, Cause: err, Remedy: "install qemu-utils, which has " + resizeTool,
		}
	}
	limited, cancel := context.WithTimeout(ctx, resizeLimit)
	defer cancel()
	stderr := command.Tail{Max: maxStderr}
	c := fileConfinement(path, 3)
	c.Args = []string{
		path, "resize", "-q", "--shrink", "--image-opts", "driver=qcow2,file.driver=file,file.locking=off,file.filename=" + inChild(3), strconv.FormatInt(size, 10),
	}
	c.Files, c.Stderr = []*os.File{f}, &stderr
	err = runChild(limited, c)
	if err != nil && ctx.Err() != nil {
		return &report.Failure{Kind: report.Internal, What: "changing the size of the disk", On: name, Cause: context.Cause(ctx), Remedy: "run it again"}
	}
	if err != nil {
		if said := stderr.Text(maxStderr); said != "" {
			err = fmt.Errorf("%w: %s", err, report.Clean(strings.TrimPrefix(said, resizeTool+": ")))
		}
		return &report.Failure{Kind: report.Disk, What: "changing the size of the disk", On: name, Cause: err, Remedy: "leave its size as it is, or make room"}
	}
	return nil
}

// runChild runs a child to its end, on one thread: the signal at the parent's death comes when
// the thread dies that forked.
func runChild(ctx context.Context, c confine.Child) error {
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		p, err := c.Start(ctx)
		if err == nil {
			err = p.Wait()
		}
		done <- err
	}()
	return <-done
}

// fileConfinement describes the program at path, which opens the descriptor file that it gets
// once more, and nothing else. It is on no network.
func fileConfinement(path string, file int) confine.Child {
	c := confine.Child{
		Path: path, Grace: time.Second, Env: []string{"LC_ALL=C"}, Bounds: &confine.Bounds{Memory: maxMemory, Processes: maxThreads},
		Namespaces: unix.CLONE_NEWPID | unix.CLONE_NEWNET | unix.CLONE_NEWIPC | unix.CLONE_NEWUTS,
		Stage: confine.Stage{
			Limits: []confine.Limit{
				{Resource: unix.RLIMIT_CORE, Max: 0}, {Resource: unix.RLIMIT_NOFILE, Max: maxFiles}, {Resource: unix.RLIMIT_AS, Max: maxAddress},
			},
			ReadOnly: true, Reopens: []int{file}, Root: confine.RootFor(path),
		},
	}
	if root := c.Stage.Root; root != nil { // else it is a script, which may be anything
		root.Proc, c.Stage.Filter, c.Stage.Refused = true, true, []string{"listen"}
	}
	if os.Geteuid() == 0 {
		c.Stage.Capabilities = []int{unix.CAP_DAC_OVERRIDE} // the file may be anybody's
	}
	return c
}
