package windows

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"snf-image/internal/guest/outcome"
	"snf-image/internal/guest/registry"
	"snf-image/internal/guest/rootfs"
	"snf-image/internal/guest/system"
	"snf-image/internal/guest/windows/answer"
	"snf-image/internal/guest/windows/script"
	"snf-image/internal/spec"
	"snf-image/internal/timezone"
)

// Answers are the answer files that a deployment may use, and what it completes them with.
type Answers struct {
	// Given is that of os_answer_file, Node that of UNATTEND; nil for none.
	Given, Node []byte
	// Ignore leaves the image's own out.
	Ignore bool
	// Zone is the time zone of an answer file that is made.
	Zone       string
	ProductKey spec.Secret
	// Named tells that the computer is given a name afterwards.
	Named bool

	name string // that is kept
}

// commands are what runs in the pass specialize.
func commands() []answer.Command {
	return []answer.Command{
		{Path: "cmd.exe /c " + script.Path(script.Passwords), Description: "snf-image: passwords", Script: `SnfScripts\ChangeAdminPassword.cmd`},
		{Path: "diskpart.exe /s " + script.Path(script.Extend), Description: "snf-image: file system", Script: `SnfScripts\ExtendFilesystem`},
	}
}

// Install puts the answer file in its place, with the scripts that it names, and the script
// that removes them. Of the answer files the given one wins over the image's own, that over
// the node's, and that over one that is made.
func Install(ctx context.Context, g system.Guest, s System, a Answers, now time.Time) error {
	a.keep(g, s)
	made, at, err := a.completed(g.Root, s)
	if err != nil {
		return err
	}
	kept := at
	if a.replaces() && !(g.Living && waiting(g.Root)) {
		kept = "" // it is not the one that was completed before, but the image's own
	}
	if err := setOthersAside(g, s, kept, now); err != nil {
		return err
	}
	if err := g.Root.WriteFile(at, made, secret); err != nil {
		return err
	}
	if err := forget(ctx, g); err != nil {
		return err
	}
	return installScripts(g, s)
}

// replaces reports whether the answer file takes the place of any that is there.
func (a Answers) replaces() bool { return a.Given != nil || a.Ignore }

// completed returns the answer file as it will be, and where it goes.
func (a Answers) completed(root *rootfs.Root, s System) (made []byte, at string, err error) {
	data, at, err := a.choose(root, s)
	if err != nil {
		return nil, "", err
	}
	made, err = answer.Complete(data, answer.Completion{
		Architecture: s.Architecture, ComputerName: a.name, ProductKey: strings.ToUpper(a.ProductKey.Reveal()), Commands: commands(),
	})
	if err != nil {
		return nil, "", outcome.Advise(fmt.Errorf("completing %s: %w", a.origin(root), err), "correct that answer file")
	}
	return made, at, makable(root, at)
}

// choose returns the answer file that counts, and where it goes.
func (a Answers) choose(root *rootfs.Root, s System) (data []byte, at string, err error) {
	if a.Given != nil {
		return a.Given, own()[0], nil
	}
	for _, p := range own() {
		if !a.Ignore && root.Has(p) {
			data, err := readPlain(root, p, answer.Size)
			return data, p, err
		}
	}
	if a.Node != nil {
		return a.Node, own()[0], nil
	}
	if s.Major == 6 && s.Minor == 0 {
		return nil, "", outcome.Advise(errors.New("no answer file is known for Windows Vista and Server 2008"), "give one with os_answer_file, or put it into the image")
	}
	zone, err := timezone.Lookup(a.Zone)
	if err != nil {
		return nil, "", outcome.Advise(err, "correct WINDOWS_TIMEZONE in the configuration of the node")
	}
	data, err = answer.Standard(s.Architecture, zone, s.modern())
	return data, own()[0], err
}

// origin names the answer file that choose returns.
func (a Answers) origin(root *rootfs.Root) string {
	p, err := Answer(root)
	switch {
	case a.Given != nil:
		return "the answer file of os_answer_file"
	case err == nil && !a.Ignore:
		return "the image's " + shown(p)
	case a.Node != nil:
		return "the answer file of UNATTEND"
	}
	return "the standard answer file"
}

// places are where the set-up of a Windows looks for its answer file. What is left by the
// image's own set-up where it looks before it looks at C:\ must not win.
func (s System) places() []string {
	if s.Major < 6 {
		return []string{SysprepInf}
	}
	var out []string
	for _, dir := range []string{"/Windows/Panther/Unattend", "/Windows/Panther", "/Windows/System32/Sysprep"} {
		out = append(out, dir+"/unattend.xml", dir+"/autounattend.xml")
	}
	return append(out, own()...)
}

// setOthersAside keeps every answer file but the one at a path from being found.
func setOthersAside(g system.Guest, s System, at string, now time.Time) error {
	for _, p := range s.places() {
		if p == at || !g.Root.Has(p) {
			continue
		}
		kept, err := setAside(g.Root, p, now)
		if err != nil {
			return fmt.Errorf("setting the answer file %s aside: %w", shown(p), err)
		}
		g.Log.Info("an answer file of the image is set aside", "from", p, "to", kept)
	}
	return nil
}

// hiveSystem is the registry below HKEY_LOCAL_MACHINE\SYSTEM.
const hiveSystem = "/Windows/System32/config/SYSTEM"

// namesAnswer is the value of its key Setup that names an answer file.
const namesAnswer = "UnattendFile"

// forget removes the name of an answer file that wins over every other one from the registry.
func forget(ctx context.Context, g system.Guest) error {
	h, err := registry.Open(g.Root, hiveSystem)
	if err != nil {
		return err
	}
	defer h.Close() //nolint:errcheck // what was committed is written
	v, ok, err := h.Value("Setup", namesAnswer)
	if err != nil || !ok {
		return err
	}
	h.Delete("Setup", namesAnswer)
	g.Log.Info("the registry no longer names an answer file", "was", v.Text())
	return h.Commit(ctx)
}

// checkForget is CheckInstall for forget.
func checkForget(ctx context.Context, root *rootfs.Root) error {
	h, err := registry.Open(root, hiveSystem)
	if err != nil {
		return err
	}
	defer h.Close() //nolint:errcheck // it was only read
	h.Delete("Setup", namesAnswer)
	return h.Check(ctx)
}

// installScripts makes the scripts that are always there, and SetupComplete.cmd. On the disk of
// a machine what it has yet to do at its first boot stays.
func installScripts(g system.Guest, s System) error {
	for p, data := range map[string][]byte{script.Passwords: nil, script.Extend: script.ExtendFilesystem(0)} {
		if g.Living && g.Root.IsRegular(p) {
			continue
		}
		if err := put(g.Root, p, data); err != nil {
			return err
		}
	}
	if _, err := g.Root.MkdirAll("/Windows/Setup/Scripts", public); err != nil {
		return err
	}
	return g.Root.Put(script.Complete, func(old []byte) ([]byte, error) { return script.SetupComplete(old, s.places()), nil })
}

// Extend has the file system of a partition grow at the first boot.
func Extend(root *rootfs.Root, partition int) error {
	return put(root, script.Extend, script.ExtendFilesystem(partition))
}

// EnableRecovery has the recovery environment turned on when the set-up is complete.
func EnableRecovery(root *rootfs.Root) error {
	return put(root, script.Recovery, script.EnableRecovery())
}
