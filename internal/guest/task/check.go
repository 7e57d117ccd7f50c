package task

import (
	"errors"
	"fmt"
	"path"
	"path/filepath"

	"golang.org/x/sys/unix"

	"snf-image/internal/guest/inspect"
	"snf-image/internal/guest/netconf"
	"snf-image/internal/guest/rootfs"
	"snf-image/internal/spec"
)

// Check reports whether the planned tasks can do what is asked of them, as far as
// that can be known beforehand; Prepare looks at partition table and file systems.
// r.Root is mounted read-only; nothing is written. A living machine is refused here
// rather than left half changed.
func Check(r *Run) error {
	defer func() { r.warnings = nil }() // the tasks give them again
	for _, c := range []struct {
		name  string
		check func(*Run) error
	}{
		{spec.AddSwap, checkSwap},
		{spec.ChangePassword, checkLogin},
		{spec.ConfigureNetwork, checkNetwork},
		{spec.EnforcePersonality, checkPersonality},
		{spec.RunCustomTask, checkCustomTask},
	} {
		if !r.willRun(c.name) {
			continue
		}
		if err := c.check(r); err != nil {
			return fmt.Errorf("nothing is changed, since %s cannot be done: %w", c.name, err)
		}
	}
	return nil
}

// willRun reports whether a task is planned, is not left out, and is not replaced
// by a program of the image.
func (r *Run) willRun(name string) bool {
	if !r.wanted(name) {
		return false
	}
	return !r.Plan.OverwriteTasks || findOverwrite(r.Root, overwriteDir, "overwrite_task_"+name, 0) == ""
}

func checkSwap(r *Run) error {
	if r.Inspection.OSFamily != "linux" {
		return nil // AddSwap warns
	}
	if !r.Root.IsRegular("/etc/fstab") {
		return &Remedied{errors.New("the image has no /etc/fstab"), "add one to the image, or leave out the property SWAP"}
	}
	if r.Plan.Swap != nil && r.Plan.Swap.Partition > 0 {
		return nil // FixPartitionTable makes it
	}
	_, err := r.swapDevice()
	return err
}

func checkLogin(r *Run) error {
	users, err := wantedUsers(r)
	if err == nil && r.Credentials != nil && len(r.Credentials.AuthorizedKeys) > 0 {
		_, err = keyFiles(r, users)
	}
	return err
}

func checkNetwork(r *Run) error {
	_, err := wantedInterfaces(r.Plan)
	if errors.Is(err, netconf.ErrLeave) {
		return nil
	}
	if system := inspect.Network(r.Root); err == nil && system != "" && system != inspect.Ifupdown {
		return unsupportedNetwork(system)
	}
	return err
}

func checkCustomTask(r *Run) error {
	if r.Credentials == nil || len(r.Credentials.CustomTask) == 0 {
		return nil
	}
	return checkRunnable(r.Credentials.CustomTask)
}

// checkPersonality looks for owners, places and, unless the file system grows
// first, room.
func checkPersonality(r *Run) error {
	if r.Credentials == nil {
		return nil
	}
	injections, err := resolve(r.Root, r.Credentials.Files)
	if err != nil || r.willRun(spec.FilesystemResizeUnmounted) {
		return err
	}
	needed := map[unix.Fsid]uint64{}
	for _, i := range injections {
		var st unix.Statfs_t
		if err := unix.Statfs(filepath.Join(r.Target, existing(r.Root, i.file.Path)), &st); err != nil {
			return fmt.Errorf("looking for room for %s: %w", i.file.Path, err)
		}
		block := uint64(max(st.Bsize, 1))
		needed[st.Fsid] += (uint64(len(i.file.Contents)) + block - 1) / block
		if needed[st.Fsid] > st.Bfree {
			return &Remedied{
				fmt.Errorf("there is no room for %s: the files need %d bytes and %d are free", i.file.Path, needed[st.Fsid]*block, st.Bfree*block),
				"remove files in the machine, or grow its disk",
			}
		}
	}
	return nil
}

// existing returns the innermost directory of p that the image has, resolved.
func existing(root *rootfs.Root, p string) string {
	for dir := path.Dir(p); dir != "/"; dir = path.Dir(dir) {
		if real, err := root.RealPath(dir); err == nil {
			return real
		}
	}
	return "/"
}
