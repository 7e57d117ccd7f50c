package windows

import (
	"context"

	"snf-image/internal/guest/registry"
	"snf-image/internal/guest/rootfs"
	"snf-image/internal/guest/system"
	"snf-image/internal/guest/windows/answer"
	"snf-image/internal/guest/windows/script"
)

const denyConnections = "fDenyTSConnections"

// RefuseRemoteDesktop has Windows refuse remote desktop connections until its set-up is
// complete, when the value is again what it was, or what the answer file wants it to be. One
// that was not there is not there again. The answer file refuses them, too: it is read before
// that. anew tells that it was given now: what it says is not what an earlier run made of it.
func RefuseRemoteDesktop(ctx context.Context, g system.Guest, s System, anew bool) error {
	h, err := registry.Open(g.Root, hiveSystem)
	if err != nil {
		return err
	}
	defer h.Close() //nolint:errcheck // what was committed is written
	key, err := terminalServer(h)
	if err != nil {
		return err
	}
	v, had, err := h.Value(key, denyConnections)
	if err != nil {
		return err
	}
	says, err := fromAnswer(g.Root, s)
	if err != nil {
		return err
	}
	allows := says.RefuseRemote != nil && !*says.RefuseRemote
	old, isNumber := v.Number()
	if isNumber && old == 1 && g.Root.Has(script.Remote) && !allows && !(anew && says.RefuseRemote != nil) {
		return nil // done already, and the script knows the value
	}
	if had && !isNumber {
		g.Warn("%s is not a number in the registry: afterwards it is not there", denyConnections)
	}
	had = had && isNumber
	if says.RefuseRemote != nil {
		old, had = 1, true
	}
	if allows {
		old = 0
	}
	if err := put(g.Root, script.Remote, script.RestoreRemoteDesktop(old, had)); err != nil {
		return err
	}
	h.Set(key, denyConnections, registry.Number(1))
	if err := h.Commit(ctx); err != nil || !allows {
		return err
	}
	return advise(complete(g, answer.Completion{Architecture: s.Architecture, RefuseRemote: true}))
}

// terminalServer returns the key that has the value.
func terminalServer(h *registry.Hive) (string, error) {
	set, err := h.ControlSet()
	return set + `\Control\Terminal Server`, err
}

// CheckRemoteDesktop is CheckInstall for RefuseRemoteDesktop.
func CheckRemoteDesktop(ctx context.Context, root *rootfs.Root) error {
	h, err := registry.Open(root, hiveSystem)
	if err != nil {
		return err
	}
	defer h.Close() //nolint:errcheck // it was only read
	key, err := terminalServer(h)
	if err != nil {
		return err
	}
	h.Set(key, denyConnections, registry.Number(1))
	return h.Check(ctx)
}
