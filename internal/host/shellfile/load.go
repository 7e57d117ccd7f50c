package shellfile

import (
	"errors"
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

// Remedy says what to do about a file that Load refuses; empty for another error.
func Remedy(err error) string {
	if errors.Is(err, ownership.ErrOthers) {
		return ownership.Remedy
	}
	return ""
}

// Text reads a little more than a file may have, whoever may change it.
func Text(path string) ([]byte, error) {
	f, err := os.Open(path)
	return text(f, err)
}

// Within is Text for a file of a directory that nothing leads out of.
func Within(dir *os.Root, name string) ([]byte, error) {
	f, err := dir.Open(name)
	return text(f, err)
}

func text(f *os.File, err error) ([]byte, error) {
	if err != nil {
		return nil, report.Bare(err)
	}
	defer f.Close() //nolint:errcheck // only read
	data, err := io.ReadAll(io.LimitReader(f, MaxFile+1))
	return data, report.Bare(err)
}
