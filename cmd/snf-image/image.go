package main

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/spf13/cobra"

	"snf-image/internal/host/trust"
	"snf-image/internal/report"
)

func (a *app) imageCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "image",
		Short:   "Verify images",
		Example: "  snf-image image verify debian-13.qcow2",
		Args:    noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return usage(cmd, errors.New("name verify"))
		},
	}
	cmd.AddCommand(a.imageVerify())
	return cmd
}

// verified is what image verify found out, as --json prints it.
type verified struct {
	Image     string   `json:"image"`
	Algorithm string   `json:"algorithm,omitempty"`
	Digest    string   `json:"digest,omitempty"`
	Sums      string   `json:"sums,omitempty"`
	Signature string   `json:"signature,omitempty"`
	Key       string   `json:"key,omitempty"`
	Owner     string   `json:"owner,omitempty"`
	Warnings  []string `json:"warnings,omitempty"`
}

func (a *app) imageVerify() *cobra.Command {
	var asJSON bool
	var bound []string
	cmd := &cobra.Command{
		Use:   "verify FILE",
		Short: "Verify an image file by the checksums and signatures beside it",
		Long: `Verify an image file by the checksums and signatures that lie beside it, under the
names that vendors use: SHA256SUMS with SHA256SUMS.gpg, FILE.CHECKSUM with
FILE.CHECKSUM.asc, FILE.sha512, FILE.sig, FILE.minisig and others. Who signed it is
looked for in KEYRING_DIR. Without --key, a checksum that nobody signed is enough; it
tells a damaged file, not a forged one.`,
		Example: "  snf-image image verify debian-13.qcow2\n  snf-image image verify --key 0123456789ABCDEF0123456789ABCDEF01234567 rocky-10.qcow2",
		Args:    oneArgument,
		RunE: func(cmd *cobra.Command, args []string) error {
			found, err := a.verifyImage(cmd, args[0], bound)
			switch {
			case asJSON && err != nil:
				return a.printJSON(nil, err)
			case err != nil:
				return err
			case asJSON:
				return a.printJSON(found, nil)
			}
			return a.printVerified(found)
		},
	}
	cmd.Flags().StringArrayVar(&bound, "key", nil, "`fingerprint` of a key that must have signed it (repeatable, one is enough)")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func (a *app) verifyImage(cmd *cobra.Command, file string, bound []string) (*verified, error) {
	keys, err := a.keyring()
	if err != nil {
		return nil, err
	}
	if len(bound) > 0 && len(keys.Bound(bound).All()) == 0 {
		return nil, keyFailure("reading the keyring", bound[0], trust.ErrUnknown)
	}
	p, err := trust.File(cmd.Context(), file, keys, bound)
	for _, w := range p.Warnings {
		a.log.Warn(report.Printable(w))
	}
	if err == nil && len(bound) > 0 && p.Signer.Key == "" {
		err = errUnsigned
	}
	if err != nil {
		return nil, verifyFailure(file, err)
	}
	return &verified{
		Image: file, Algorithm: p.Sum.Algorithm, Digest: p.Sum.Hex, Sums: p.From,
		Signature: p.SignatureFile, Key: p.Signer.Key, Owner: p.Signer.Name, Warnings: p.Warnings,
	}, nil
}

var errUnsigned = errors.New("nobody signed it or its checksums")

// verifyFailure is the failure to verify an image, with what helps.
func verifyFailure(file string, err error) error {
	f := &report.Failure{Kind: report.Image, What: "verifying the image", On: file, Cause: err}
	switch {
	case errors.Is(err, trust.ErrNoProof):
		f.Remedy = "put the vendor's file of checksums, and its signature, beside the image"
	case errors.Is(err, errUnsigned):
		f.Remedy = "put the vendor's signature beside the image, or leave --key out to check the checksum alone"
	case errors.Is(err, trust.ErrMismatch), errors.Is(err, trust.ErrBadSignature):
		f.Remedy = "fetch the image and what lies beside it again, from the vendor; do not use this one"
	case errors.Is(err, trust.ErrUnknownKey), errors.Is(err, trust.ErrUnbound):
		f.Remedy = "compare the key with the one the vendor publishes"
	case errors.Is(err, trust.ErrKeyExpired), errors.Is(err, trust.ErrExpired), errors.Is(err, trust.ErrKeyRevoked):
		f.Remedy = "get the vendor's present key and signature"
	case errors.Is(err, trust.ErrWeak), errors.Is(err, trust.ErrWeakSignature):
		f.Remedy = "ask the vendor for sha256 or sha512, and a signature of today"
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, trust.ErrNotFile):
		f.Remedy = "check the path"
	}
	return f
}

func (a *app) printVerified(v *verified) error {
	by := "nobody signed it"
	if v.Key != "" {
		by = fmt.Sprintf("signed by %s %s (%s)", v.Key, report.Printable(v.Owner), v.Signature)
	}
	if v.Digest == "" {
		_, err := fmt.Fprintf(a.stdout, "%s: %s\n", v.Image, by)
		return err
	}
	_, err := fmt.Fprintf(a.stdout, "%s: %s %s (%s), %s\n", v.Image, v.Algorithm, v.Digest, v.Sums, by)
	return err
}
