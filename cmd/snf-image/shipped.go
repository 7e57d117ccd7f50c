package main

import (
	"os"
	"path/filepath"

	"snf-image/internal/host/config"
	"snf-image/internal/host/ownership"
)

// besideProgram returns the directory share beside that of the program, empty where it is
// not known where that is.
func besideProgram() string {
	exe, err := os.Executable()
	if err != nil {
		return ""
	}
	return filepath.Join(filepath.Dir(exe), "../share")
}

// takeShipped takes the catalogue and the keys below share, where the program was installed
// below another prefix or lies in a checkout, unless the configuration names others. Root does
// not take those of a checkout that somebody else may change: they would be refused.
func takeShipped(cfg *config.Config, share string) {
	for _, dir := range []string{filepath.Join(share, "snf-image"), share} {
		entries, keys := filepath.Join(dir, "catalogue.d"), filepath.Join(dir, "keys")
		if _, err := os.Stat(entries); share == "" || err != nil || ownership.Check(entries) != nil || ownership.Check(keys) != nil {
			continue
		}
		if cfg.Origins["CATALOGUE_DIRS"] == "" {
			cfg.CatalogueDirs[0] = entries
		}
		if cfg.Origins["VENDOR_KEYS_DIR"] == "" {
			cfg.VendorKeysDir = keys
		}
		return
	}
}
