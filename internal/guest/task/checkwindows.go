package task

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"snf-image/internal/guest/netconf"
	"snf-image/internal/guest/outcome"
	"snf-image/internal/guest/windows"
	"snf-image/internal/spec"
)

// checkWindows refuses to change by the set-up what has been set up, and finds out, without
// writing, what the tasks would fail with.
func (r *Run) checkWindows(ctx context.Context) error {
	for _, c := range []struct {
		task  string
		setUp bool // is done when Windows is set up
		check func() error
	}{
		{spec.InstallUnattend, true, func() error { return windows.CheckInstall(ctx, r.Root, r.windowsSystem(), r.answers()) }},
		{spec.AssignHostname, true, r.checkWindowsName},
		{spec.ChangePassword, true, r.checkWindowsPassword},
		{spec.ConfigureNetwork, true, r.checkWindowsNetwork},
		{spec.DisableRemoteDesktopConnections, true, func() error { return r.checkRemoteDesktop(ctx) }},
		{spec.EnforcePersonality, false, func() error { return windows.CheckInject(r.Root, r.credentials().Files) }},
		{spec.RunCustomTask, false, func() error { return checkCustomTask(r) }},
	} {
		if !r.willRun(c.task) {
			continue
		}
		var err error
		if c.setUp {
			err = r.sealed()
		}
		if err == nil {
			err = c.check()
		}
		if err != nil {
			return fmt.Errorf("nothing is changed, since %s cannot be done: %w", c.task, err)
		}
	}
	return nil
}

// prepared returns why nothing would run the scripts of the first boot, or nil. A script
// with a password would be left for ever.
func (r *Run) prepared() error {
	if r.wanted(spec.InstallUnattend) || windows.Prepared(r.Root) {
		return nil
	}
	return outcome.Advise(errors.New("the set-up of this Windows would not run our scripts: InstallUnattend is not among what is to be done, and was not done before"),
		"give an answer file too, by os_answer_file, so that it is done")
}

// newAnswers returns the answer files, nil where the one that is there counts.
func (r *Run) newAnswers() *windows.Answers {
	if !r.willRun(spec.InstallUnattend) {
		return nil
	}
	a := r.answers()
	return &a
}

func (r *Run) checkWindowsName() error {
	if r.Plan.InstanceName == "" {
		return nil
	}
	return windows.CheckName(r.Root, r.windowsSystem(), r.newAnswers(), r.Plan.InstanceName)
}

func (r *Run) checkWindowsPassword() error {
	password := r.credentials().Password
	if password == nil {
		return nil
	}
	if err := r.prepared(); err != nil {
		return err
	}
	users, err := r.windowsUsers()
	if err != nil {
		return err
	}
	return windows.CheckPasswords(r.guest(), r.windowsSystem(), r.newAnswers(), users, *password)
}

// checkWindowsNetwork is about static addresses, which a script sets.
func (r *Run) checkWindowsNetwork() error {
	interfaces, err := wantedInterfaces(r.Plan)
	switch {
	case errors.Is(err, netconf.ErrLeave):
		return nil
	case err != nil:
		return err
	case slices.ContainsFunc(interfaces, netconf.Interface.Static):
		return r.prepared()
	}
	return nil
}

func (r *Run) checkRemoteDesktop(ctx context.Context) error {
	if err := r.prepared(); err != nil {
		return err
	}
	return windows.CheckRemoteDesktop(ctx, r.Root)
}
