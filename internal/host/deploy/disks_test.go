package deploy

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"snf-image/internal/host/config"
	"snf-image/internal/host/session"
	"snf-image/internal/host/source"
	"snf-image/internal/host/target"
	"snf-image/internal/report"
	"snf-image/internal/spec"
)

// TestImageAsAnotherDisk: an image may be looked at as a second disk, but not
// become swap space.
func TestImageAsAnotherDisk(t *testing.T) {
	t.Parallel()
	image := diskFile(t, "image")
	for name, swap := range map[string]*spec.Swap{"read": nil, "swap": {Disk: 1}} {
		img, err := source.Open(image)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = img.File.Close() })
		s := &spec.Spec{Mode: spec.ModeDeploy, Swap: swap, Disks: []spec.Disk{{Path: diskFile(t, name)}, {Path: image}}}
		disks, err := openDisks(t.Context(), session.Settings{}, s, session.NewPlan(s, new(config.Config)), target.Options{Image: img.File, ImageSize: img.Stored})
		disks.close()
		switch {
		case swap == nil && err != nil:
			t.Errorf("the image as a disk to read: %v", err)
		case swap != nil && (report.KindOf(err) != report.Disk || !strings.Contains(err.Error(), "it is the image itself")):
			t.Errorf("the image as swap space: %v, want it refused", err)
		}
	}
}

// diskFile makes an empty disk.
func diskFile(t *testing.T, name string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, make([]byte, target.MinSize), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
