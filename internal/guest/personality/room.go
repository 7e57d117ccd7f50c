package personality

import (
	"fmt"
	"path"
	"path/filepath"

	"golang.org/x/sys/unix"

	"snf-image/internal/guest/outcome"
	"snf-image/internal/guest/rootfs"
	"snf-image/internal/spec"
)

// Check finds out, without writing, what Inject would fail with: owners, places, and
// room below dir, where the tree is mounted. On the device growing, 0 for none, there
// will be more room than there is.
func Check(root *rootfs.Root, files []spec.File, dir string, growing uint64) error {
	injections, err := resolve(root, files)
	if err != nil {
		return err
	}
	return checkRoom(root, injections, growing, func(p string) (room, error) { return roomAt(filepath.Join(dir, p)) })
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

// existing returns the innermost directory of p that the image has, resolved.
func existing(root *rootfs.Root, p string) string {
	for dir := path.Dir(p); dir != "/"; dir = path.Dir(dir) {
		if real, err := root.RealPath(dir); err == nil {
			return real
		}
	}
	return "/"
}
