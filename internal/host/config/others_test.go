package config

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"snf-image/internal/host/ownership"
)

// TestOthers takes no settings from what others than root may change: they name
// programs that run as root, and where images are.
func TestOthers(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	sound := write(t, dir, "sound", "VARIANTS_DIR="+dir+"\n")
	open := write(t, dir, "open.conf", "PROGRESS_MONITOR=/bin/true\n")
	if err := os.Chmod(open, 0o646); err != nil {
		t.Fatal(err)
	}
	refused := os.Geteuid() == 0 // a user's files are the user's own business
	for name, load := range map[string]func() (*Config, error){
		"file": func() (*Config, error) { c, p := Load(File{Path: open}); return c, p.Err() },
		"variant": func() (*Config, error) {
			c, p := LoadVariant("open", filepath.Join(dir, "list"), File{Path: sound})
			return c, p.Err()
		},
	} {
		c, err := load()
		if (err != nil) != refused || (c == nil) != refused {
			t.Errorf("%s: %v, %v, want refused: %v", name, c, err, refused)
		}
		if refused && !strings.Contains(err.Error(), "others than root may change it: "+open+" has mode 0646") {
			t.Errorf("%s: %v", name, err)
		}
		if refused && !strings.Contains(err.Error(), "chmod go-w") {
			t.Errorf("%s: %v, without a remedy", name, err)
		}
	}
	if _, p := Load(File{Path: open}); refused && !errors.Is(p, ownership.ErrOthers) {
		t.Errorf("Load = %v, want %v", p, ownership.ErrOthers)
	}
}
