package report

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// Deployment is the report of one run, for --report. It holds no secret, and
// whoever fills it in cleans what the image or the helper said.
type Deployment struct {
	Version string    `json:"version"` // of snf-image
	Mode    string    `json:"mode"`
	Name    string    `json:"name,omitempty"`
	Success bool      `json:"success"`
	Failure *Ending   `json:"failure,omitempty"`
	Started time.Time `json:"started"`
	Seconds float64   `json:"seconds"`

	Image  *ImageRead  `json:"image,omitempty"` // nil when none was copied
	Disk   DiskWritten `json:"disk"`
	Helper *HelperUsed `json:"helper,omitempty"` // nil when none was started

	System   *Inspection  `json:"system,omitempty"`
	Tasks    []TaskResult `json:"tasks,omitempty"`
	Changed  []string     `json:"changed,omitempty"` // paths inside the image
	Warnings []string     `json:"warnings,omitempty"`

	HostKeys   []HostKeyPrint `json:"ssh_host_keys,omitempty"`
	KnownHosts []string       `json:"known_hosts,omitempty"` // ready lines

	Timings []Timing `json:"timings,omitempty"`
}

// Ending says why a deployment failed.
type Ending struct {
	Kind    Kind   `json:"kind"`
	Message string `json:"message"`
	Remedy  string `json:"remedy,omitempty"`
	Exit    int    `json:"exit_code,omitempty"`
}

// ImageRead is the image as it was read.
type ImageRead struct {
	ID     string `json:"id"`
	Format string `json:"format"`
	Size   int64  `json:"size"`
	// Digest says of what and how it was computed, "blake3-blocks:…".
	Digest string `json:"digest,omitempty"`
	// DataBytes is how much of it was data and not holes.
	DataBytes int64 `json:"data_bytes"`
}

// DiskWritten is the first disk of the instance.
type DiskWritten struct {
	Path string `json:"path"`
	Size int64  `json:"size"`
	// Wiped says what happened to the area behind the image.
	Wiped string `json:"wiped,omitempty"`
}

// HelperUsed is the helper that ran.
type HelperUsed struct {
	Version     string            `json:"version"`
	Digests     map[string]string `json:"digests,omitempty"` // of the files of the helper image
	Accelerator string            `json:"accelerator"`       // "kvm" or "tcg"
	Reason      string            `json:"accelerator_reason,omitempty"`
	// Confinement are the active layers around image worker and helper.
	Confinement []string `json:"confinement,omitempty"`
}

// HostKeyPrint is the fingerprint of an SSH host key that was installed.
type HostKeyPrint struct {
	Type        string `json:"type"`
	Fingerprint string `json:"fingerprint"` // "SHA256:…", as ssh-keygen -l shows it
}

// Timing is how long one step took.
type Timing struct {
	Step    string  `json:"step"`
	Seconds float64 `json:"seconds"`
}

// Fail records err as the end of the deployment.
func (d *Deployment) Fail(err error) {
	d.Success = false
	d.Failure = &Ending{Kind: KindOf(err), Message: Clean(err.Error())}
	if f, ok := errors.AsType[*Failure](err); ok {
		d.Failure.Remedy = Clean(f.Remedy)
	}
}

// WriteFile puts d as JSON into the file path in one step, readable by its
// owner alone. An existing file is replaced; a terminal or a pipe is written to.
func (d *Deployment) WriteFile(path string) error {
	text, err := json.MarshalIndent(d, "", "  ")
	if err != nil {
		return fmt.Errorf("encoding the report: %w", err)
	}
	text = append(text, '\n')
	if st, err := os.Stat(path); err == nil && !st.Mode().IsRegular() {
		return writeStream(path, text)
	}
	f, err := os.CreateTemp(filepath.Dir(path), temporary)
	if err != nil {
		return fmt.Errorf("creating the report: %w", err)
	}
	defer os.Remove(f.Name()) //nolint:errcheck // gone after the rename
	_, err = f.Write(text)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return fmt.Errorf("writing the report: %w", err)
	}
	return nil
}

// writeStream writes to a terminal, or to a pipe that somebody reads.
func writeStream(path string, text []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|unix.O_NONBLOCK|unix.O_NOCTTY, 0)
	if err != nil {
		return fmt.Errorf("opening the report: %w", err)
	}
	_, err = f.Write(text)
	return errors.Join(err, f.Close())
}

// temporary is the pattern of a report that is not complete yet.
const temporary = ".report-*"

// CheckFile says whether WriteFile could write to path now. It leaves nothing
// behind.
func CheckFile(path string) error {
	st, err := os.Stat(path)
	if err == nil && st.IsDir() {
		return errors.New("it is a directory")
	}
	if err == nil && st.Mode()&os.ModeType == os.ModeDevice {
		return errors.New("it is a block device")
	}
	if err == nil && !st.Mode().IsRegular() {
		return nil // opening a pipe would wait for its reader
	}
	if link, err := os.Lstat(path); err == nil && link.Mode()&os.ModeSymlink != 0 {
		return errors.New("it is a symbolic link, which would be replaced")
	}
	f, err := os.CreateTemp(filepath.Dir(path), temporary)
	if err != nil {
		return err
	}
	return errors.Join(f.Close(), os.Remove(f.Name()))
}
