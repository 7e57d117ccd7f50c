package cloudinit

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"snf-image/internal/guest/outcome"
	"snf-image/internal/guest/rootfs"
	"snf-image/internal/guest/system"
)

// identifyPolicy is the configuration of ds-identify, which decides at boot whether cloud-init
// runs.
const identifyPolicy = "/etc/cloud/ds-identify.cfg"

// unitDir is where the administrator of a machine masks units.
const unitDir = "/etc/systemd/system/"

// enable takes away what keeps cloud-init from running and from using our seed: what Disable
// made, and what the image has of its own.
func enable(g system.Guest) error {
	if g.Root.Has(Disabled) {
		if err := g.Root.Remove(Disabled); err != nil {
			return err
		}
	}
	if err := unmask(g.Root); err != nil {
		return err
	}
	data, err := g.Root.ReadFile(identifyPolicy, maxFile)
	if err == nil && overrules(string(data)) {
		err = setAside(g, identifyPolicy)
	}
	if err != nil && !rootfs.IsNotExist(err) {
		return err
	}
	if i := Look(g.Root); !i.Runs {
		return errStopped(i)
	}
	return nil
}

// CheckEnable finds out, without writing, that nothing in the image starts cloud-init, masked
// or not, or that its kernel is told not to.
func CheckEnable(root *rootfs.Root) error {
	i := Look(root)
	hidden := slices.ContainsFunc(matching(root, unitDir), func(p string) bool { return masked(root, path.Base(p)) })
	jobs, err := root.Glob(upstartDir + "cloud-*" + override)
	if err == nil && (i.stopped() || !i.generator && len(i.starters) == 0 && !hidden && len(jobs) == 0) {
		err = errStopped(i)
	}
	return err
}

func errStopped(i Image) error {
	if i.stopped() {
		return outcome.Advise(
			fmt.Errorf("the image's cloud-init does not run: %s", i.Verdict),
			"take that option out of the image's boot loader, or leave out the property CLOUD_INIT",
		)
	}
	return outcome.Advise(
		fmt.Errorf("the image's cloud-init does not run: %s", i.Verdict),
		"enable its services in the image, or leave out the property CLOUD_INIT",
	)
}

// overrules reports whether ds-identify is told not to go by the list of datasources.
func overrules(policy string) bool {
	for line := range strings.Lines(policy) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		value = strings.TrimSpace(value)
		if name == "datasource" && value != "" || name == "policy" && strings.HasPrefix(value, "disabled") {
			return true
		}
	}
	return false
}

// unmask gives the units of cloud-init back that are masked.
func unmask(root *rootfs.Root) error {
	for _, p := range matching(root, unitDir) {
		to, err := root.Readlink(p)
		if err != nil || to != "/dev/null" {
			continue
		}
		if err := root.Remove(p); err != nil {
			return err
		}
		if root.IsRegular(p + aside) {
			if err := root.Rename(p+aside, p); err != nil {
				return err
			}
		}
	}
	overrides, err := root.Glob(upstartDir + "cloud-*" + override)
	if err != nil {
		return err
	}
	for _, p := range overrides {
		data, err := root.ReadFile(p, maxFile)
		if err != nil || strings.TrimSpace(string(data)) != manual {
			continue // the image's own says more
		}
		if err := root.Remove(p); err != nil {
			return err
		}
	}
	return nil
}

// aside is the end of the names of the image's own files, which nothing reads.
const aside = ".snf-image-orig"

// setAside gives a file or directory of the image a name that nothing reads.
func setAside(g system.Guest, p string) error {
	to := p + aside
	for n := 2; g.Root.Has(to); n++ {
		if n > 9 {
			return fmt.Errorf("setting %s aside: too many copies are there", p)
		}
		to = fmt.Sprintf("%s%s-%d", p, aside, n)
	}
	g.Warn("%s keeps cloud-init from what it is told for this machine: it was set aside as %s", p, to)
	return g.Root.Rename(p, to)
}

// errNone is what is wrong with an image that has no cloud-init.
func errNone(root *rootfs.Root) error {
	what := "the image has no cloud-init"
	if slices.ContainsFunc(tinyCloud, root.IsRegular) {
		what = "the image has tiny-cloud, which reads no seed on the root file system, and no cloud-init"
	}
	return outcome.Advise(errors.New(what+", for which the property CLOUD_INIT=yes is"), "leave out the property CLOUD_INIT, or give an image that has cloud-init")
}
