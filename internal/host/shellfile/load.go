package shellfile

import (
	"io"
	"os"

	"snf-image/internal/host/ownership"
	"snf-image/internal/report"
)

// Load returns the content of a file for Read. Root takes nothing from a file that others
// may change: settings name programs that run as root. The path is not part of its errors.
func Load(path string) ([]byte, error) {
	if err := ownership.Check(path); err != nil {
		return nil, report.Bare(err)
	}
	return Text(path)
}

// Text reads a little more than a file may have, whoever may change it.
func Text(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, report.Bare(err)
	}
	defer f.Close() //nolint:errcheck // only read
	data, err := io.ReadAll(io.LimitReader(f, MaxFile+1))
	return data, report.Bare(err)
}
