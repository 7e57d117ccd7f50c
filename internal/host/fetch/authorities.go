package fetch

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"

	"snf-image/internal/host/ownership"
)

// ErrAuthorities is the error of a CAFile that cannot be used.
var ErrAuthorities = errors.New("TLS_CA_FILE")

// trusting returns settings of TLS that trust the authorities of the node and, unless it
// is empty, those of file.
func trusting(file string) (*tls.Config, error) {
	settings := &tls.Config{MinVersion: tls.VersionTLS12}
	if file == "" {
		return settings, nil
	}
	roots, err := authorities(file)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrAuthorities, err)
	}
	settings.RootCAs = roots
	return settings, nil
}

// authorities returns the certificates of file beside those of the node.
func authorities(file string) (*x509.CertPool, error) {
	if err := ownership.Check(file); errors.Is(err, ownership.ErrOthers) {
		return nil, fmt.Errorf("%w; %s", err, ownership.Remedy)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	roots, err := x509.SystemCertPool()
	if err != nil {
		roots = x509.NewCertPool()
	}
	if !roots.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("%s holds no certificate in PEM", file)
	}
	return roots, nil
}
