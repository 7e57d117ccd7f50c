package task

import (
	"context"

	"golang.org/x/sys/unix"

	"snf-image/internal/guest/cloudinit"
	"snf-image/internal/guest/personality"
	"snf-image/internal/guest/windows"
)

// enforcePersonality puts the files of the personality into the image.
func enforcePersonality(_ context.Context, r *Run) error {
	if r.Credentials == nil || len(r.Credentials.Files) == 0 {
		return Skip("no files to inject")
	}
	if r.Plan.CloudInit {
		return personalityByCloudInit(r)
	}
	return personality.Inject(r.Root, r.Credentials.Files)
}

// enforceOnWindows puts the files of the personality into a Windows.
func enforceOnWindows(_ context.Context, r *Run) error {
	files := r.credentials().Files
	if len(files) == 0 {
		return Skip("no files to inject")
	}
	return windows.Inject(r.guest(), r.windowsSystem(), files, r.now())
}

// checkPersonality finds out, without writing, what enforcePersonality would fail with.
func checkPersonality(r *Run) error {
	if r.Credentials == nil {
		return nil
	}
	files := r.Credentials.Files
	if r.Plan.CloudInit {
		files = cloudinit.Staged(r.Root, files, r.Plan.CloudInitDebug)
	}
	return personality.Check(r.Root, files, r.Target, growing(r))
}

// growing returns the device whose file system is going to grow, 0 for none. What
// keeps it from growing is for Prepare to tell.
func growing(r *Run) uint64 {
	name, err := r.foreseeGrowth()
	if err != nil {
		return 0
	}
	v, ok := r.volume(name)
	var st unix.Stat_t
	if !ok || unix.Stat(v.Path, &st) != nil {
		return 0
	}
	// What is mounted from it has another device number where there are subvolumes.
	var root unix.Stat_t
	if mounted, ok := r.volume(r.Inspection.Root); ok && mounted.Path == v.Path && unix.Stat(r.Target, &root) == nil {
		return root.Dev
	}
	return st.Rdev
}
