package agent

import (
	"os"
	"path/filepath"
	"testing"
)

// TestNamesItself finds the subvolume whose fstab mounts it as the root.
func TestNamesItself(t *testing.T) {
	t.Parallel()
	for fstab, want := range map[string]bool{
		"UUID=a / btrfs defaults,subvol=/@rootfs 0 0\n":       true,
		"UUID=a / btrfs subvol=@rootfs 0 0\n":                 true,
		"UUID=a / btrfs subvol=@ 0 0\n":                       false,
		"UUID=a / btrfs defaults 0 0\n":                       false,
		"UUID=a /home btrfs subvol=@rootfs 0 0\n":             false,
		"UUID=a / btrfs subvolid=256 0 0\nUUID=b / x subvol=": false,
	} {
		dir := t.TempDir()
		must(t, os.Mkdir(filepath.Join(dir, "etc"), 0o755))
		must(t, os.WriteFile(filepath.Join(dir, "etc/fstab"), []byte(fstab), 0o644))
		if got, err := namesItself(dir, "@rootfs"); got != want || err != nil {
			t.Errorf("namesItself with %q = %v, %v, want %v", fstab, got, err, want)
		}
	}
	if got, err := namesItself(t.TempDir(), "@"); got || err != nil {
		t.Errorf("namesItself without fstab = %v, %v", got, err)
	}
}

// TestSelectable leaves out names that would be further mount options.
func TestSelectable(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]bool{"@rootfs": true, "a,dev": false, "a b": false, `a\054dev`: false} {
		if selectable(name) != want {
			t.Errorf("selectable(%q) = %v", name, !want)
		}
	}
}
