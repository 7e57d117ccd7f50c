package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"snf-image/internal/host/config"
)

// TestShipped finds what lies beside the program, unless the configuration says where it is.
func TestShipped(t *testing.T) {
	t.Parallel()
	checkout, prefix := t.TempDir(), t.TempDir()
	for _, dir := range []string{checkout, prefix + "/snf-image", prefix} {
		if err := errors.Join(os.MkdirAll(dir+"/catalogue.d", 0o755), os.MkdirAll(dir+"/keys", 0o755)); err != nil {
			t.Fatal(err)
		}
	}
	const own = "/etc/snf-image/catalogue.d"
	for _, tc := range []struct{ share, conf, entries, keys string }{
		{checkout, "", checkout + "/catalogue.d " + own, checkout + "/keys"},
		{prefix, "", prefix + "/snf-image/catalogue.d " + own, prefix + "/snf-image/keys"},
		{prefix + "/none", "", "/usr/share/snf-image/catalogue.d " + own, "/usr/share/snf-image/keys"},
		{"", "", "/usr/share/snf-image/catalogue.d " + own, "/usr/share/snf-image/keys"},
		{checkout, "CATALOGUE_DIRS=/a\n", "/a", checkout + "/keys"},
		{checkout, "VENDOR_KEYS_DIR=/k\n", checkout + "/catalogue.d " + own, "/k"},
	} {
		cfg, problems := config.Parse("conf", []byte(tc.conf))
		if cfg == nil {
			t.Fatal(problems)
		}
		takeShipped(cfg, tc.share)
		if got := strings.Join(cfg.CatalogueDirs, " "); got != tc.entries || cfg.VendorKeysDir != tc.keys {
			t.Errorf("%+v: entries in %s, keys in %s", tc, got, cfg.VendorKeysDir)
		}
	}
	cfg, _ := config.Parse("conf", nil)
	if err := os.Chmod(checkout+"/keys", 0o777); err != nil {
		t.Fatal(err)
	}
	takeShipped(cfg, checkout)
	if os.Geteuid() == 0 && (cfg.CatalogueDirs[0] != "/usr/share/snf-image/catalogue.d" || cfg.VendorKeysDir != "/usr/share/snf-image/keys") {
		t.Errorf("taken from others: %q, %s", cfg.CatalogueDirs, cfg.VendorKeysDir)
	}
}

// TestAgentOf finds the agent beside the program before that of its prefix.
func TestAgentOf(t *testing.T) {
	t.Parallel()
	top := t.TempDir()
	bin := top + "/bin"
	for _, at := range []string{"", top + "/lib/snf-image/snf-image-agent", bin + "/snf-image-agent"} {
		want := installedAgent
		if at != "" {
			want = at
			if err := errors.Join(os.MkdirAll(filepath.Dir(at), 0o755), os.WriteFile(at, nil, 0o755)); err != nil {
				t.Fatal(err)
			}
		}
		if got := agentOf(bin); got != want {
			t.Errorf("agentOf = %s, want %s", got, want)
		}
	}
}

// TestLocated finds images by the names that deploy takes.
func TestLocated(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"images/stored": "x", "images/catalogue/a-1/a.img": "x", "images/a-2": "x", "images/old.diskdump": "x", "path": "x",
		"images/catalogue/a-1/a-1.pin": `{"name": "a-1", "url": "https://example.org/a.img", "file": "a.img", "digest": "sha256:` + strings.Repeat("0", 64) + `"}`,
		"entries/a-1.conf":             "URL=https://example.org/a.img\nFORMAT=raw\nALIASES=a\n",
		"entries/a-2.conf":             "URL=https://example.org/a.img\nFORMAT=raw\n",
		"entries/old.conf":             "URL=https://example.org/a.img\nFORMAT=raw\n",
		"entries/a-3.conf":             "URL=https://example.org/a.img\nFORMAT=raw\n",
	} {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	cfg := &config.Config{ImageDir: dir + "/images", CatalogueDirs: []string{dir + "/entries"}, Arch: "x86_64"}
	pulled := dir + "/images/catalogue/a-1/a.img"
	for name, want := range map[string]string{
		dir + "/path": dir + "/path", dir + "/gone": dir + "/gone", "gone": "gone", "./gone": "./gone", "https://example.org/x": "https://example.org/x",
		"stored": dir + "/images/stored", "local://stored": dir + "/images/stored", "a-2": dir + "/images/a-2", "old": dir + "/images/old.diskdump",
		"a-1": pulled, "a": pulled, "catalogue:a": pulled,
	} {
		if got, err := located(cfg, name); err != nil || got != want {
			t.Errorf("located(%q) = %q, %v, want %q", name, got, err, want)
		}
	}
	cfg.ImageDir = dir + "/none"
	if _, err := located(cfg, "a"); err == nil || !strings.Contains(err.Error(), "snf-image image pull a-1") {
		t.Errorf("without IMAGE_DIR: %v", err)
	}
	cfg.ImageDir = dir + "/images"
	for name, want := range map[string]string{"a-3": "snf-image image pull a-3", "catalogue:a-2": "snf-image image pull a-2", "catalogue:b-1": "no entry of that name", "a-1#sha256=" + strings.Repeat("0", 64): "is not compared"} {
		if got, err := located(cfg, name); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("located(%q) = %q, %v, want an error with %q", name, got, err, want)
		}
	}
}
