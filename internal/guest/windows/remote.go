package windows

import (
	"context"
	"fmt"

	"snf-image/internal/guest/registry"
	"snf-image/internal/guest/system"
	"snf-image/internal/guest/windows/script"
)

const denyConnections = "fDenyTSConnections"

// RefuseRemoteDesktop has Windows refuse remote desktop connections until its set-up is
// complete, when the value is again what it was, or what the answer file wants it to be. One
// that was not there is not there again.
func RefuseRemoteDesktop(ctx context.Context, g system.Guest, s System) error {
	h, err := registry.Open(g.Root, hiveSystem)
	if err != nil {
		return err
	}
	defer h.Close() //nolint:errcheck // what was committed is written
	set := uint32(1)
	if v, ok, err := h.Value("Select", "Current"); err != nil {
		return err
	} else if n, is := v.Number(); ok && is {
		set = n
	}
	key := fmt.Sprintf(`ControlSet%03d\Control\Terminal Server`, set)
	v, had, err := h.Value(key, denyConnections)
	if err != nil {
		return err
	}
	old, isNumber := v.Number()
	if isNumber && old == 1 && g.Root.Has(script.Remote) {
		return nil // done already, and the script knows the value
	}
	if had && !isNumber {
		g.Warn("%s is not a number in the registry: afterwards it is not there", denyConnections)
	}
	says, err := fromAnswer(g.Root, s)
	if err != nil {
		return err
	}
	had = had && isNumber
	if says.RefuseRemote != nil {
		old, had = 0, true
		if *says.RefuseRemote {
			old = 1
		}
	}
	if err := put(g.Root, script.Remote, script.RestoreRemoteDesktop(old, had)); err != nil {
		return err
	}
	h.Set(key, denyConnections, registry.Number(1))
	return h.Commit(ctx)
}
