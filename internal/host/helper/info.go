package helper

import (
	"fmt"
	"path/filepath"
	"time"
)

// Description is what `helper info` shows of a helper image.
type Description struct {
	*Manifest
	Dir    string `json:"dir"`
	Intact bool   `json:"intact"`
	// Concerns say what speaks against it although it is intact.
	Concerns []string `json:"warnings,omitempty"`
	// Problems say why it is not intact, one sentence for each file.
	Problems []string `json:"problems,omitempty"`
}

// Info describes the helper image in dir and hashes its files. It returns an
// error when there is none, with the remedy for pkg; damage is part of the
// description.
func Info(dir, pkg string) (*Description, error) {
	m, err := readManifest(dir)
	if err != nil {
		return nil, Failure("reading the helper image", dir, err, Remedy(pkg))
	}
	d := &Description{Manifest: m, Dir: dir, Concerns: m.Concerns(time.Now())}
	for _, f := range m.files() {
		if err := f.verify(dir); err != nil {
			d.Problems = append(d.Problems, fmt.Sprintf("%s: %v", f.Name, err))
		}
	}
	d.Intact = len(d.Problems) == 0
	return d, nil
}

// verify compares the file in dir with what f says about it.
func (f File) verify(dir string) error {
	digest, err := DigestFile(filepath.Join(dir, f.Name))
	if err != nil {
		return err
	}
	if digest != f.Digest {
		return errDigest
	}
	return nil
}
