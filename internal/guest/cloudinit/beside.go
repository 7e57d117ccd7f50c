package cloudinit

import (
	"fmt"
	"path"
	"strings"

	"snf-image/internal/guest/outcome"
	"snf-image/internal/guest/system"
	"snf-image/internal/spec"
)

// CheckBeside finds out, without writing, what of a task that is done beside cloud-init would
// not outlast the next boot: on an installed machine that was told what to become and was not
// booted since. A new name does, which Rename tells cloud-init, too.
func CheckBeside(g system.Guest, task string, files []spec.File) error {
	d, ok := told(g)
	if !ok {
		return nil
	}
	waiting, err := d.waiting()
	if err != nil || waiting == nil || !Look(g.Root).Runs {
		return err
	}
	what, err := d.undoes(task, files)
	if err != nil || what == "" {
		return err
	}
	return outcome.Advise(
		fmt.Errorf("the machine was not booted since it was deployed or customized with CLOUD_INIT=yes: at the next boot its cloud-init would undo that, by what it was told of %s", what),
		"set the property CLOUD_INIT=yes, by which this is added to what waits for that boot, or boot the machine before",
	)
}

// told returns where an earlier run told cloud-init what to become, if one did. Unlike [Find] it
// needs nothing that others wrote.
func told(g system.Guest) (Datasource, bool) {
	for _, dir := range cloudConfigDirs {
		if d := (Datasource{guest: g, settings: dir}); has(g.Root) && g.Root.IsRegular(d.file(spec.InitializeDatasource)) {
			return d, true
		}
	}
	return Datasource{}, false
}

// undoes returns what that waits for the next boot is of the same things as a task, "" for
// nothing.
func (d Datasource) undoes(task string, files []spec.File) (string, error) {
	if task == spec.EnforcePersonality {
		return d.places(files)
	}
	var keep kept
	err := d.read(d.file(spec.InitializeDatasource), &keep)
	told := d.guest.Root.IsRegular(d.file(task))
	switch {
	case err != nil:
		return "", err
	case task == spec.ChangePassword && (told || keep.Users == nil):
		return "users and passwords", nil
	case task == spec.ConfigureNetwork && !told && keep.Network == nil: // else it is told to leave the network
		return "the network", nil
	case task == spec.DeleteSSHKeys && (told || keep.DeleteKeys == nil):
		return "SSH host keys", nil
	}
	return "", nil
}

// places returns the first of the files that has the place of one that waits.
func (d Datasource) places(files []spec.File) (string, error) {
	scripts, err := d.guest.Root.Glob(scriptDir + "/" + name(spec.EnforcePersonality) + "*")
	if err != nil {
		return "", err
	}
	for _, script := range scripts {
		data, err := d.guest.Root.ReadFile(script, maxUserData)
		if err != nil {
			return "", fmt.Errorf("reading what waits for the next boot: %w", err)
		}
		for _, f := range files {
			if p := path.Clean(f.Path); strings.Contains(string(data), " "+quoted(p)+" ") {
				return "the file " + p, nil
			}
		}
	}
	return "", nil
}
