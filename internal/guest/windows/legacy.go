package windows

import (
	"errors"
	"fmt"
	"path"
	"strings"
	"time"

	"snf-image/internal/guest/outcome"
	"snf-image/internal/guest/registry"
	"snf-image/internal/guest/rootfs"
	"snf-image/internal/guest/system"
	"snf-image/internal/guest/windows/script"
	"snf-image/internal/guest/windows/sysprep"
	"snf-image/internal/timezone"
)

// SysprepInf is the answer file of Windows XP and Server 2003.
const SysprepInf = "/sysprep/sysprep.inf"

// InstallLegacy is Install for Windows XP and Server 2003. Their set-up runs the scripts when
// it is nearly done, and what cleans up behind them comes last.
func InstallLegacy(g system.Guest, a Answers, now time.Time) error {
	s := System{Major: 5}
	a.keep(g, s)
	made, err := a.completedLegacy(g.Root)
	if err != nil {
		return err
	}
	if _, err := g.Root.MkdirAll(path.Dir(SysprepInf), public); err != nil {
		return err
	}
	if a.replaces() && g.Root.Has(SysprepInf) {
		kept, err := setAside(g.Root, SysprepInf, now)
		if err != nil {
			return err
		}
		g.Log.Info("the answer file of the image is set aside", "from", SysprepInf, "to", kept)
	}
	if err := g.Root.WriteFile(SysprepInf, made.inf, secret); err != nil {
		return err
	}
	if err := installScripts(g, s); err != nil {
		return err
	}
	if _, err := g.Root.MkdirAll(path.Dir(made.listAt), public); err != nil {
		return err
	}
	return g.Root.Put(made.listAt, addCommands)
}

// legacyFiles are those by which the set-up is told what to do, as they will be.
type legacyFiles struct {
	inf    []byte // sysprep.inf
	listAt string // the list of commands, which is completed where it is
}

// completedLegacy returns the files of the set-up. Nothing is written.
func (a Answers) completedLegacy(root *rootfs.Root) (made legacyFiles, err error) {
	if err := SealedLegacy(root); err != nil {
		return made, err
	}
	zone, err := timezone.Index(a.Zone)
	if err != nil {
		return made, outcome.Advise(err, "correct WINDOWS_TIMEZONE in the configuration of the node")
	}
	data, err := a.chooseLegacy(root)
	if err != nil {
		return made, err
	}
	inf, install, err := sysprep.Complete(data, sysprep.Completion{ComputerName: a.name, TimeZone: zone, ProductKey: strings.ToUpper(a.ProductKey.Reveal())})
	if err != nil {
		return made, adviseLegacy(err)
	}
	at, err := Place(install + `\$OEM$\CmdLines.txt`)
	if err == nil {
		err = checkPlace(root, at)
	}
	if err != nil {
		return made, adviseLegacy(fmt.Errorf("%w: InstallFilesPath: %w", sysprep.ErrRefused, err))
	}
	if root.Has(at) {
		list, err := readPlain(root, at, sysprep.Size)
		if err == nil {
			_, err = addCommands(list)
		}
		if err != nil {
			return made, fmt.Errorf("completing %s: %w", shown(at), err)
		}
	}
	return legacyFiles{inf, at}, makable(root, SysprepInf)
}

// chooseLegacy returns the sysprep.inf that counts: UNATTEND names one of another form.
func (a Answers) chooseLegacy(root *rootfs.Root) ([]byte, error) {
	switch {
	case a.Given != nil:
		return a.Given, nil
	case !a.Ignore && root.Has(SysprepInf):
		return readPlain(root, SysprepInf, sysprep.Size)
	}
	return sysprep.Standard(), nil
}

// SealedLegacy returns why a Windows before NT 6 is not going to be set up when it starts, or
// nil.
func SealedLegacy(root *rootfs.Root) error {
	h, err := registry.Open(root, hiveSystem)
	if err != nil {
		return err
	}
	defer h.Close() //nolint:errcheck // it was only read
	for _, name := range []string{"SystemSetupInProgress", "MiniSetupInProgress"} {
		v, _, err := h.Value("Setup", name)
		if err != nil {
			return err
		}
		if n, ok := v.Number(); !ok || n != 1 {
			return outcome.Advise(
				fmt.Errorf("the Windows of the image is not sealed: %s is not 1 in its registry", name),
				"in that Windows run sysprep -mini -reseal, and make the image of the disk as it is then",
			)
		}
	}
	return nil
}

// addCommands has the set-up run the scripts, by its list of commands.
func addCommands(old []byte) ([]byte, error) {
	out, err := sysprep.AddCommands(old, []sysprep.Command{
		{Line: "cmd /c " + script.Path(script.Passwords), Script: `SnfScripts\ChangeAdminPassword.cmd`},
		{Line: "diskpart /s " + script.Path(script.Extend), Script: `SnfScripts\ExtendFilesystem`},
		{Line: "cmd /c " + script.Path(script.Complete), Script: `Scripts\SetupComplete.cmd`},
	})
	return out, adviseLegacy(err)
}

// SetNameLegacy is SetName for Windows XP and Server 2003.
func SetNameLegacy(g system.Guest, instance string) error {
	name, err := ComputerName(instance)
	if err != nil {
		return err
	}
	return g.Root.Edit(SysprepInf, func(old []byte) ([]byte, error) {
		out, _, err := sysprep.Complete(old, sysprep.Completion{ComputerName: name})
		return out, adviseLegacy(err)
	})
}

func adviseLegacy(err error) error {
	if errors.Is(err, sysprep.ErrRefused) {
		return outcome.Advise(err, "correct that file, or give one with os_answer_file")
	}
	return err
}
