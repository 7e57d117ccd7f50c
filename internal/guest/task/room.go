package task

import (
	"fmt"
	"path"
	"path/filepath"

	"golang.org/x/sys/unix"

	"snf-image/internal/guest/outcome"
	"snf-image/internal/guest/rootfs"
	"snf-image/internal/spec"
)

// checkPersonality looks for owners, places and room.
func checkPersonality(r *Run) error {
	if r.Credentials == nil {
		return nil
	}
	injections, err := resolve(r.Root, r.Credentials.Files)
	if err != nil {
		return err
	}
	return checkRoom(r.Root, injections, growing(r), func(dir string) (room, error) {
		return roomAt(filepath.Join(r.Target, dir))
	})
}

// room is the free space of a mounted file system.
type room struct {
	device uint64
	block  uint64 // bytes of one
	free   uint64 // blocks
}

// roomAt returns the room of the file system in which dir lies.
func roomAt(dir string) (room, error) {
	var st unix.Stat_t
	var fs unix.Statfs_t
	err := unix.Stat(dir, &st)
	if err == nil {
		err = unix.Statfs(dir, &fs)
	}
	return room{st.Dev, uint64(max(fs.Bsize, 1)), fs.Bfree}, err
}

// checkRoom refuses files that do not fit into the file systems they are for. In the
// one that is on the device growing there will be more room than there is.
func checkRoom(root *rootfs.Root, injections []injection, growing uint64, at func(dir string) (room, error)) error {
	needed := map[uint64]uint64{} // blocks of each device
	for _, i := range injections {
		place, err := at(existing(root, i.file.Path))
		if err != nil {
			return fmt.Errorf("looking for room for %s: %w", i.file.Path, err)
		}
		needed[place.device] += (uint64(len(i.file.Contents)) + place.block - 1) / place.block
		if n := needed[place.device]; place.device != growing && n > place.free {
			return outcome.Advise(
				fmt.Errorf("there is no room for %s: the files need %d bytes and %d are free", i.file.Path, n*place.block, place.free*place.block),
				"remove files in the machine, or grow its disk",
			)
		}
	}
	return nil
}

// growing returns the device whose file system is going to grow, 0 for none. What
// keeps it from growing is for Prepare to tell.
func growing(r *Run) uint64 {
	if !r.willRun(spec.FilesystemResizeUnmounted) {
		return 0
	}
	name, err := r.foreseeGrowth()
	if err != nil {
		return 0
	}
	v, ok := r.volume(name)
	var st unix.Stat_t
	if !ok || unix.Stat(v.Path, &st) != nil {
		return 0
	}
	return st.Rdev
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
