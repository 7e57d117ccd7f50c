// Package cloudinit finds out whether a guest's cloud-init would run, and keeps it from
// running: on a machine that is configured without it, it would delete the SSH host keys,
// lock the passwords of users and write a network of its own. Or it writes what cloud-init
// makes the machine of: a NoCloud seed, settings in cloud.cfg.d and scripts for the first
// boot.
//
// It touches the files by which cloud-init is started and those that it reads, and nothing
// else. Where clear text of passwords would be needed there is a hash. What is secret is
// readable by root alone and emptied at the first boot.
//
// It is large because both are here: what keeps cloud-init out has to be undone, and found out
// about, by what makes use of it, in every version that distributions have.
package cloudinit

import (
	"path"
	"slices"
	"strings"

	"snf-image/internal/guest/rootfs"
)

// Disabled is the file that keeps cloud-init from running: its generator, ds-identify and the
// scripts of OpenRC look for it, newer units as well.
const Disabled = "/etc/cloud/cloud-init.disabled"

// conditional is what a unit or script holds that looks for that file.
const conditional = "cloud-init.disabled"

// generators decide at boot whether cloud-init.target is started.
var generators = []string{
	"/usr/lib/systemd/system-generators/cloud-init-generator", "/lib/systemd/system-generators/cloud-init-generator",
}

// Image is what an image has of cloud-init.
type Image struct {
	Installed bool
	// Verdict reports whether it runs at boot, and why, as a text for people.
	Verdict string
	Runs    bool

	generator bool
	starters  []starter
	option    kernelOption
	// forced names what makes the generator start it in spite of Disabled.
	forced string
}

// starter is what starts a part of cloud-init: a unit that another one wants, or a link in a
// runlevel.
type starter struct {
	name  string
	link  string // in a runlevel, or a job of Upstart, "" for a unit
	heeds bool   // it looks for Disabled itself
	asks  bool   // it looks at the kernel's command line
}

// Look examines the image in root. It changes nothing.
func Look(root *rootfs.Root) Image {
	var i Image
	i.Installed = has(root) || slices.ContainsFunc(tinyCloud, root.IsRegular)
	if !i.Installed {
		return i
	}
	i.generator = slices.ContainsFunc(generators, root.Exists)
	i.starters = slices.Concat(units(root), links(root), jobs(root))
	i.lookForced(root)
	i.Runs, i.Verdict = i.judge(root)
	return i
}

var tinyCloud = []string{"/usr/bin/tiny-cloud", "/sbin/tiny-cloud", "/usr/sbin/tiny-cloud"}

// has reports whether the image has cloud-init itself.
func has(root *rootfs.Root) bool {
	return root.IsRegular("/usr/bin/cloud-init") || root.IsRegular("/usr/local/bin/cloud-init")
}

// judge reports whether cloud-init runs.
func (i Image) judge(root *rootfs.Root) (bool, string) {
	heedless := slices.ContainsFunc(i.starters, func(s starter) bool { return !s.heeds })
	switch {
	case i.stopped():
		return false, "disabled by " + i.option.where()
	case root.Exists(Disabled) && !heedless && i.forced == "":
		return false, "disabled by " + Disabled
	case len(i.starters) > 0:
		return true, "runs at every boot: " + i.starters[0].where()
	case i.generator && masked(root, target):
		return false, target + " is masked"
	case i.generator && policyDisables(root):
		return false, "disabled by /etc/cloud/ds-identify.cfg"
	case i.generator:
		return true, "runs where ds-identify finds a datasource"
	}
	return false, "nothing starts it"
}

func (s starter) where() string {
	if s.link != "" {
		return s.link
	}
	return s.name + " is enabled"
}

// policyDisables reports whether the configuration of ds-identify keeps cloud-init off.
func policyDisables(root *rootfs.Root) bool {
	data, err := root.ReadFile("/etc/cloud/ds-identify.cfg", maxFile)
	if err != nil {
		return false
	}
	for line := range strings.Lines(string(data)) {
		if value, ok := strings.CutPrefix(strings.TrimSpace(line), "policy:"); ok {
			mode, _, _ := strings.Cut(strings.TrimSpace(value), ",")
			return mode == "disabled"
		}
	}
	return false
}

// maxFile bounds the units and scripts that are read, in bytes.
const maxFile = 64 << 10

// wants are where systemd looks for what it starts. What the targets of cloud-init want starts
// only with it.
var wants = []string{"/etc/systemd/system/*.wants/", "/etc/systemd/system/*.requires/", "/usr/lib/systemd/system/*.wants/", "/lib/systemd/system/*.wants/"}

var targets = []string{"cloud-init.target.wants", "cloud-config.target.wants"}

// names match the units and services of cloud-init, and of Alpine's tiny-cloud.
var names = []string{"cloud-init*", "cloud-config*", "cloud-final*", "tiny-cloud*"}

// units returns the units of cloud-init that systemd starts without its generator.
func units(root *rootfs.Root) []starter {
	var out []starter
	for _, dir := range wants {
		for _, p := range matching(root, dir) {
			name := path.Base(p)
			known := slices.ContainsFunc(out, func(s starter) bool { return s.name == name })
			if known || slices.Contains(targets, path.Base(path.Dir(p))) || masked(root, name) {
				continue
			}
			out = append(out, look(root, name, "", unitFile(root, name)))
		}
	}
	return out
}

// unitFile returns the file of a unit.
func unitFile(root *rootfs.Root, name string) string {
	for _, dir := range []string{"/etc/systemd/system/", "/usr/lib/systemd/system/", "/lib/systemd/system/"} {
		if root.IsRegular(dir + name) {
			return dir + name
		}
	}
	return ""
}

func masked(root *rootfs.Root, name string) bool {
	to, err := root.Readlink("/etc/systemd/system/" + name)
	return err == nil && to == "/dev/null"
}

// runlevels are where OpenRC and System V's init look for what they start. The latter has a
// number before the name.
var runlevels = []string{"/etc/runlevels/*/", "/etc/rc[2-5].d/S[0-9][0-9]", "/etc/rc.d/rc[2-5].d/S[0-9][0-9]"}

// links returns the services of cloud-init in the runlevels.
func links(root *rootfs.Root) []starter {
	var out []starter
	seen := map[string]bool{} // one of the directories may be a link to the other
	for _, level := range runlevels {
		for _, p := range matching(root, level) {
			dir, err := root.RealPath(path.Dir(p))
			if err != nil || seen[dir+path.Base(p)] {
				continue
			}
			seen[dir+path.Base(p)] = true
			name := path.Base(p)
			if !strings.HasSuffix(level, "/") {
				name = name[len("S00"):]
			}
			out = append(out, look(root, name, p, "/etc/init.d/"+name))
		}
	}
	return out
}

// Upstart keeps its jobs in a directory; one with that line in the file beside it is not
// started by itself (init(5) of Upstart).
const (
	upstart    = "/sbin/initctl"
	upstartDir = "/etc/init/"
	upstartEnd = ".conf"
	override   = ".override"
	manual     = "manual"
)

// jobs returns the jobs of cloud-init that Upstart starts, as in Ubuntu 14.04.
func jobs(root *rootfs.Root) []starter {
	if !root.Exists(upstart) || root.Exists("/lib/systemd/systemd") || root.Exists("/usr/lib/systemd/systemd") {
		return nil
	}
	var out []starter
	for _, p := range matching(root, upstartDir) {
		name, isJob := strings.CutSuffix(path.Base(p), upstartEnd)
		data, err := root.ReadFile(upstartDir+name+override, maxFile)
		if !isJob || err == nil && slices.Contains(strings.Split(string(data), "\n"), manual) {
			continue
		}
		out = append(out, look(root, name, p, p))
	}
	return out
}

func matching(root *rootfs.Root, dir string) []string {
	var out []string
	for _, name := range names {
		found, err := root.Glob(dir + name)
		if err == nil {
			out = append(out, found...)
		}
	}
	return out
}

// look finds out by its unit or script what keeps a starter off.
func look(root *rootfs.Root, name, link, p string) starter {
	data, _ := root.ReadFile(p, maxFile) // one that cannot be read looks for nothing
	text := string(data)
	return starter{name: name, link: link, heeds: strings.Contains(text, conditional), asks: strings.Contains(text, Option+"=")}
}
