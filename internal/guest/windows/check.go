package windows

import (
	"context"
	"fmt"

	"snf-image/internal/guest/outcome"
	"snf-image/internal/guest/rootfs"
	"snf-image/internal/guest/system"
	"snf-image/internal/guest/windows/answer"
	"snf-image/internal/guest/windows/script"
	"snf-image/internal/spec"
)

// CheckInstall finds out, without writing, what Install and InstallLegacy would fail with.
func CheckInstall(ctx context.Context, root *rootfs.Root, s System, a Answers) error {
	for _, p := range []string{script.Passwords, script.Complete} {
		if err := makable(root, p); err != nil {
			return err
		}
	}
	if err := completable(root, script.Complete); err != nil {
		return err
	}
	if s.Major < 6 {
		_, err := a.completedLegacy(root)
		return err
	}
	if _, _, err := a.completed(root, s); err != nil {
		return err
	}
	return checkForget(ctx, root)
}

// makable is checkPlace for files of ours.
func makable(root *rootfs.Root, p string) error {
	if err := checkPlace(root, p); err != nil {
		return outcome.Advise(fmt.Errorf("making %s: %w", shown(p), err), "remove it in that Windows")
	}
	return nil
}

// CheckName is CheckInstall for SetName and SetNameLegacy. a is nil where the answer file that
// is there counts.
func CheckName(root *rootfs.Root, s System, a *Answers, instance string) error {
	if _, err := ComputerName(instance); err != nil {
		return err
	}
	_, err := settings(root, s, a)
	return advise(err)
}

// CheckPasswords is CheckName for SetPasswords.
func CheckPasswords(g system.Guest, s System, a *Answers, users []string, password spec.Secret) error {
	made, err := settings(g.Root, s, a)
	if err != nil {
		return advise(err)
	}
	_, err = passwords(g, s, made, users, password)
	return err
}

// CheckInject is CheckInstall for Inject.
func CheckInject(root *rootfs.Root, files []spec.File) error {
	_, err := placesOf(root, files)
	return err
}

// settings returns what the answer file will say.
func settings(root *rootfs.Root, s System, a *Answers) (answer.Settings, error) {
	if a == nil || s.Major < 6 {
		return fromAnswer(root, s)
	}
	made, _, err := a.completed(root, s)
	if err != nil {
		return answer.Settings{}, err
	}
	return answer.Read(made, s.Architecture)
}

// Prepared reports whether the scripts of the first boot would be run.
func Prepared(root *rootfs.Root) bool {
	data, err := root.ReadFile(script.Complete, rootfs.MaxConfig)
	return err == nil && script.Completes(data)
}
