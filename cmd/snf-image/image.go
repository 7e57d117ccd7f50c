package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/spf13/cobra"

	"snf-image/internal/host/catalogue"
	"snf-image/internal/host/collection"
	"snf-image/internal/host/keyring"
	"snf-image/internal/host/trust"
	"snf-image/internal/report"
)

func (a *app) imageCommand() *cobra.Command {
	return group(&cobra.Command{
		Use:   "image",
		Short: "Pull, verify, carry and remove images of the catalogue",
		Example: `  snf-image image list
  snf-image image pull debian-13
  snf-image image verify debian-13.qcow2`,
	}, a.imageList(), a.imageShow(), a.imagePull(), a.imageRemove(), a.imageVerify(), a.imageExport(), a.imageImport())
}

// verified is what image verify found out, as --json prints it.
type verified struct {
	Image     string   `json:"image"`
	Algorithm string   `json:"algorithm,omitempty"`
	Digest    string   `json:"digest,omitempty"`
	Sums      string   `json:"sums,omitempty"`
	Signature string   `json:"signature,omitempty"`
	Proof     string   `json:"proof"` // what kind it is
	Key       string   `json:"key,omitempty"`
	Owner     string   `json:"owner,omitempty"`
	Signed    string   `json:"signed,omitempty"` // when
	Warnings  []string `json:"warnings,omitempty"`
}

func (a *app) imageVerify() *cobra.Command {
	var bound []string
	cmd := &cobra.Command{
		Use:   "verify FILE|NAME",
		Short: "Verify an image file by the checksums and signatures beside it",
		Long: `Verify an image file by the checksums and signatures that lie beside it, under the
names that vendors use: SHA256SUMS with SHA256SUMS.gpg, FILE.CHECKSUM with
FILE.CHECKSUM.asc, FILE.sha512, FILE.sig, FILE.minisig and others. Who signed it is
looked for in KEYRING_DIR. Without --key, a checksum that nobody signed is enough; it
tells a damaged file, not a forged one. A name that is not a file is that of an image of
the catalogue that was pulled: it has to be what its pin says, and is proved again.`,
		Example: "  snf-image image verify debian-13.qcow2\n  snf-image image verify --key 0123456789ABCDEF0123456789ABCDEF01234567 rocky-10.qcow2\n  snf-image image verify rocky-10",
		Args:    arguments(1),
	}
	asJSON := addJSON(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		found, err := a.verifyNamed(cmd, args[0], bound)
		return a.answer(*asJSON, found, err, func() error { return a.printVerified(found) })
	}
	cmd.Flags().StringArrayVar(&bound, "key", nil, "`fingerprint` of a key that must have signed it (repeatable, one is enough)")
	return cmd
}

var errNotPulled = errors.New("the catalogue knows it, and it was not pulled")

func notPulled(what, name string) error {
	return &report.Failure{Kind: report.Image, What: what, On: name, Cause: errNotPulled, Remedy: "snf-image image pull " + name}
}

// verifyNamed verifies a file, or an image of the catalogue that was pulled.
func (a *app) verifyNamed(cmd *cobra.Command, name string, bound []string) (*verified, error) {
	if _, err := os.Lstat(name); err == nil || !catalogue.IsName(name) || len(bound) > 0 {
		return a.verifyImage(cmd, name, bound)
	}
	s, err := a.shelf()
	if err != nil {
		return nil, err
	}
	held, entry, err := s.held(name)
	if errors.Is(err, fs.ErrNotExist) && s.known.Lookup(name) != nil {
		return nil, notPulled("verifying the image", name)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return a.verifyImage(cmd, name, bound)
	}
	if err != nil {
		return nil, err
	}
	o := collection.Order{Entry: entry, Keys: s.keys, Demand: collection.Demand{Demand: s.VerifyImages, By: s.Where("VERIFY_IMAGES")}}
	p, warnings, err := s.here.Verify(cmd.Context(), held, o)
	p.Warnings = warnings
	return a.judged(held.Image, p, err)
}

// held returns an image that is pinned here, and its entry.
func (s *shelf) held(name string) (*collection.Held, *catalogue.Entry, error) {
	if e := s.known.Lookup(name); e != nil {
		name = e.Name
	}
	held, err := s.here.Get(name)
	if err != nil {
		return nil, nil, err
	}
	e, err := s.known.Find(name)
	return held, e, err
}

func (a *app) verifyImage(cmd *cobra.Command, file string, bound []string) (*verified, error) {
	keys, err := a.keyring()
	if err != nil {
		return nil, err
	}
	if len(bound) > 0 && len(keys.Bound(bound).All()) == 0 {
		return nil, keyFailure("reading the keyring", bound[0], keyring.ErrUnknown)
	}
	claim := trust.Claim{Keys: bound}
	if len(bound) > 0 {
		claim.Demand, claim.By = trust.Required, "--key"
	}
	p, err := trust.File(cmd.Context(), file, keys, claim)
	return a.judged(file, p, err)
}

// judged logs the warnings of a verification and returns what was found.
func (a *app) judged(file string, p trust.Proof, err error) (*verified, error) {
	for _, w := range p.Warnings {
		a.log.Warn(report.Printable(w))
	}
	if err != nil {
		return nil, verifyFailure(file, err)
	}
	v := &verified{
		Image: file, Algorithm: p.Algorithm, Digest: p.Digest, Sums: p.Sums, Signature: p.Signature,
		Proof: string(p.Kind), Key: p.Signer.Key, Owner: p.Signer.Name, Warnings: p.Warnings,
	}
	if !p.Signer.Date.IsZero() {
		v.Signed = p.Signer.Date.Format(time.RFC3339)
	}
	return v, nil
}

// verifyFailure is the failure to verify an image, with what helps.
func verifyFailure(file string, err error) error {
	if _, said := errors.AsType[*report.Failure](err); said {
		return err
	}
	f := &report.Failure{Kind: report.Image, What: "verifying the image", On: file, Cause: err, Remedy: trust.Remedy(err)}
	if errors.Is(err, trust.ErrDemand) {
		f.Remedy = "put the vendor's signature beside the image, or leave --key out to check the checksum alone"
	}
	return f
}

func (a *app) printVerified(v *verified) error {
	by := "nobody signed it"
	if v.Key != "" {
		by = fmt.Sprintf("signed by %s %s (%s)", v.Key, report.Printable(v.Owner), v.Signature)
	}
	from := ""
	if v.Sums != "" {
		from = " (" + v.Sums + ")"
	}
	_, err := fmt.Fprintf(a.stdout, "%s: %s %s%s, %s\n", v.Image, v.Algorithm, v.Digest, from, by)
	return err
}
