package report

import (
	"errors"
	"time"
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

	// CloudInitInstance is the machine's instance-id where its cloud-init configures it at its
	// first boot.
	CloudInitInstance string `json:"cloud_init_instance,omitempty"`

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
	// Layers are around it, outermost first: compressions and archives.
	Layers []string `json:"layers,omitempty"`
	Size   int64    `json:"size"` // of the disk in it
	// Stored is how many bytes it takes as it is stored, 0 when nobody told.
	Stored int64 `json:"stored,omitempty"`
	// Resumed is how often the transfer from a URL was resumed after its connection broke.
	Resumed int `json:"resumed,omitempty"`
	// Digest says of what and how it was computed, "blake3-blocks:…".
	Digest string `json:"digest,omitempty"`
	// Verification is nil where the image was not looked at.
	Verification *Verification `json:"verification,omitempty"`
	// DataBytes is how much of it was data and not holes.
	DataBytes int64 `json:"data_bytes"`
}

// Verification says what proves an image, and who demanded what. In the report of a failure
// it is as far as that got.
type Verification struct {
	Demand     string `json:"demand"` // none, if-present or required
	DemandedBy string `json:"demanded_by,omitempty"`
	// Proof is the kind: signature, signed checksums, digest, checksums; empty for none.
	Proof string `json:"proof,omitempty"`
	// Digest is of the stored bytes, "sha256:…", where something was checked.
	Digest    string     `json:"digest,omitempty"`
	GivenBy   string     `json:"given_by,omitempty"` // who gave the digest
	Sums      string     `json:"sums,omitempty"`     // the file of checksums
	Signature string     `json:"signature,omitempty"`
	Key       string     `json:"key,omitempty"` // the fingerprint
	Owner     string     `json:"owner,omitempty"`
	Bound     bool       `json:"bound,omitempty"` // the key is bound to this image
	Signed    *time.Time `json:"signed,omitempty"`
}

// DiskWritten is the first disk of the instance.
type DiskWritten struct {
	Path string `json:"path"`
	Size int64  `json:"size"`
	// Wiped says what happened to the area behind the image.
	Wiped string `json:"wiped,omitempty"`
	// Changes are what the helper changed beside files: partitions and file systems that
	// grew, were made or repaired.
	Changes []string `json:"changes,omitempty"`
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
