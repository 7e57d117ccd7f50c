package cloudinit

import (
	"fmt"
	"slices"
	"strings"

	"snf-image/internal/guest/rootfs"
	"snf-image/internal/guest/system"
)

// currentID is where cloud-init keeps the name of the instance that it has configured last.
const currentID = library + "/data/instance-id"

// memory is what cloud-init knows an instance by, and what it has done for each. Without it the
// next boot is the first one of a new machine. What is done once on a disk, whatever machine it
// is of, stays so.
var memory = []string{library + "/instance", currentID, library + "/data/previous-instance-id"}

// Forget has the image's cloud-init, which is left to run, take this machine for a new one: by
// what the image's own machine left it could take it for that one, and do nothing.
func Forget(g system.Guest) error {
	id, err := g.Root.ReadFile(currentID, maxFile)
	if err != nil && !rootfs.IsNotExist(err) {
		return fmt.Errorf("finding out whether the image's cloud-init was used before: %w", err)
	}
	instances, problem := g.Root.Glob(library + "/instances/*")
	done := slices.Clone(memory)
	for _, dir := range instances { // one by one: an image that was many machines has thousands
		done = append(done, strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(dir)+"/sem/*")
	}
	if problem == nil {
		problem = removeFiles(g.Root, done)
	}
	if problem != nil {
		return fmt.Errorf("having the image's cloud-init forget its own machine: %w", problem)
	}
	if err == nil {
		g.Warn("the image's cloud-init has configured a machine before (%.100q): it will take this one for another", strings.TrimSpace(string(id)))
	}
	return nil
}

// forget takes away what an earlier run left, and what would keep cloud-init from our seed: a
// seed it reads first, settings it reads last, and its memory of an earlier instance.
func (d Datasource) forget() error {
	root := d.guest.Root
	err := removeFiles(root, []string{
		d.settings + "/" + ownSettings + "*", scriptDir + "/" + ownSettings + "*", stageDir + "*/*", NetworkConfig,
		library + "/instance", library + "/sem/config_scripts_per_once.once", library + "/sem/config_scripts-per-once.once",
	})
	if err != nil {
		return err
	}
	if other := library + "/seed/nocloud"; root.Has(other) {
		if err := setAside(d.guest, other); err != nil {
			return err
		}
	}
	return d.hideLater()
}

// removeFiles removes the files that the patterns find, and no directory.
func removeFiles(root *rootfs.Root, patterns []string) error {
	for _, pattern := range patterns {
		found, err := root.Glob(pattern)
		if err != nil {
			return err
		}
		for _, p := range found {
			if st, err := root.Lstat(p); err != nil || st.IsDir() {
				continue
			}
			if err := root.Remove(p); err != nil {
				return err
			}
		}
	}
	return nil
}
