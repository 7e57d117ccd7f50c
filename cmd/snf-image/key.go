package main

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"snf-image/internal/host/config"
	"snf-image/internal/host/keyring"
	"snf-image/internal/host/ownership"
	"snf-image/internal/report"
)

func (a *app) keyCommand() *cobra.Command {
	return group(&cobra.Command{
		Use:   "key",
		Short: "List, add or remove the keys that images are verified with",
		Long: `List, add or remove the public keys in KEYRING_DIR. They are keys of OpenPGP or of
minisign, and "image verify" tells by them who signed an image. Those that came with the
program lie in VENDOR_KEYS_DIR; they are listed, and not removed.`,
		Example: "  snf-image key add vendor.asc\n  snf-image key list",
	}, a.keyList(), a.keyAdd(), a.keyRemove())
}

// keyEntry is a key as --json prints it.
type keyEntry struct {
	Fingerprint string     `json:"fingerprint"`
	Owner       string     `json:"owner,omitempty"`
	File        string     `json:"file"`
	Expires     *time.Time `json:"expires,omitempty"`
	Revoked     bool       `json:"revoked,omitempty"`
}

func (a *app) keyList() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "Show the keys in KEYRING_DIR and those that came with the program",
		Example: "  snf-image key list\n  snf-image key list --json",
		Args:    noArguments,
	}
	asJSON := addJSON(cmd)
	cmd.RunE = func(*cobra.Command, []string) error {
		keys, err := a.keyring()
		return a.answer(*asJSON, entries(keys.All()), err, func() error { return a.printKeys(keys.All()) })
	}
	return cmd
}

func (a *app) keyAdd() *cobra.Command {
	var name string
	cmd := &cobra.Command{
		Use:   "add FILE",
		Short: "Put a public key into KEYRING_DIR",
		Long: `Put the public keys of a file into KEYRING_DIR. Compare the fingerprint it prints
with one that the vendor published elsewhere than beside the key.`,
		Example: "  snf-image key add vendor.asc\n  snf-image key add --as rocky-10 RPM-GPG-KEY-Rocky-10",
		Args:    arguments(1),
	}
	asJSON := addJSON(cmd)
	cmd.RunE = func(_ *cobra.Command, args []string) error {
		return a.changeKeys(*asJSON, "adding a key", args[0], func(dir string) ([]keyring.Key, error) { return keyring.Add(dir, args[0], name) })
	}
	cmd.Flags().StringVar(&name, "as", "", "`name` of the key's file in the keyring (default: that of FILE)")
	return cmd
}

func (a *app) keyRemove() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "rm FINGERPRINT|NAME",
		Short:   "Remove a key from KEYRING_DIR",
		Example: "  snf-image key rm rocky-10",
		Args:    arguments(1),
	}
	asJSON := addJSON(cmd)
	cmd.RunE = func(_ *cobra.Command, args []string) error {
		return a.changeKeys(*asJSON, "removing a key", args[0], func(dir string) ([]keyring.Key, error) { return keyring.Remove(dir, args[0]) })
	}
	return cmd
}

// changeKeys changes KEYRING_DIR and prints the keys that came or went.
func (a *app) changeKeys(asJSON bool, what, on string, change func(dir string) ([]keyring.Key, error)) error {
	cfg, err := a.config()
	var keys []keyring.Key
	if err == nil {
		if keys, err = change(cfg.KeyringDir); err != nil {
			err = keyFailure(what, on, err)
		}
	}
	return a.answer(asJSON, entries(keys), err, func() error { return a.printKeys(keys) })
}

// keyring reads the keys of the node.
func (a *app) keyring() (keyring.Keys, error) {
	cfg, err := a.config()
	if err != nil {
		return keyring.Keys{}, err
	}
	return keysOf(cfg)()
}

// keysOf returns what reads the keyring that a configuration names.
func keysOf(cfg *config.Config) func() (keyring.Keys, error) {
	return func() (keyring.Keys, error) { return readKeys(cfg) }
}

func readKeys(cfg *config.Config) (keyring.Keys, error) {
	keys, err := keyring.Load(cfg.KeyringDir, cfg.VendorKeysDir)
	if err != nil {
		return keyring.Keys{}, keyFailure("reading the keyring", cfg.KeyringDir, err)
	}
	return keys, nil
}

// keyFailure is a failure to change or read the keyring, with what helps.
func keyFailure(what, on string, err error) error {
	f := &report.Failure{Kind: report.Usage, What: what, On: on, Cause: err, Remedy: keyring.Remedy(err)}
	if file, ok := errors.AsType[*keyring.FileError](err); ok {
		f.On, f.Cause = file.File, file.Err
	}
	switch {
	case errors.Is(err, ownership.ErrOthers):
		f.Kind = report.Node
	case errors.Is(err, keyring.ErrUnknown):
		f.Remedy = `see "snf-image key list"`
	case errors.Is(err, keyring.ErrName), errors.Is(err, fs.ErrExist):
		f.Remedy = "choose another name with --as"
	case errors.Is(err, keyring.ErrNoKey), errors.Is(err, keyring.ErrTooBig),
		errors.Is(err, keyring.ErrKnown), errors.Is(err, keyring.ErrSecretKey), errors.Is(err, keyring.ErrTogether):
	case errors.Is(err, fs.ErrNotExist):
		f.Remedy = "check the path"
	default:
		f.Kind, f.Remedy = report.Node, "check that KEYRING_DIR can be read and written"
	}
	return f
}

func entries(keys []keyring.Key) []keyEntry {
	list := make([]keyEntry, 0, len(keys))
	for _, k := range keys {
		e := keyEntry{Fingerprint: k.Fingerprint, Owner: k.Owner, File: k.File, Revoked: k.Revoked}
		if !k.Expires.IsZero() {
			e.Expires = &k.Expires
		}
		list = append(list, e)
	}
	return list
}

func (a *app) printKeys(keys []keyring.Key) error {
	w := tabwriter.NewWriter(a.stdout, 0, 8, 2, ' ', 0)
	for _, k := range keys {
		until := ""
		switch {
		case k.Revoked:
			until = "revoked"
		case !k.Expires.IsZero():
			until = "expires " + k.Expires.UTC().Format(time.DateOnly)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", k.Fingerprint, filepath.Base(k.File), report.Printable(k.Owner), until)
	}
	return w.Flush()
}
