package worker

import (
	"bufio"
	"cmp"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"

	"snf-image/internal/host/format"
	"snf-image/internal/host/target"
	"snf-image/internal/report"
	"snf-image/internal/spec"
)

// Bounds of what a worker may say.
const (
	maxLine  = 4 << 10
	maxLines = 10_000_000 // a progress line each 200 ms for three weeks
)

// Result is what a worker did. It is the worker's word, checked for sense.
type Result struct {
	ImageBytes  int64         `json:"image_bytes"`  // of the disk in the image
	DataBytes   int64         `json:"data_bytes"`   // written
	ZeroedBytes int64         `json:"zeroed_bytes"` // of the image, made zero
	Zeroing     target.Method `json:"zeroing"`      // the costliest way that took
	Wiped       target.Wiped  `json:"wiped"`        // what became of the disk behind the image
	WipedBytes  int64         `json:"wiped_bytes"`
	Direct      bool          `json:"direct"` // written past the page cache
	Digest      string        `json:"digest"` // see digest; of an image only
	Seconds     float64       `json:"seconds"`
}

// Geometry is what an image turns out to be, before anything is written.
type Geometry struct {
	Format spec.Format `json:"format"`
	Layers []string    `json:"layers,omitempty"` // around it, outermost first
	// DiskBytes is the size of the disk in the image, 0 when only its end tells.
	DiskBytes int64 `json:"disk_bytes,omitempty"`
	// MBR means that the partition table of the disk is an MBR. Who looks at an image that has to
	// be unpacked before it can be read does not know.
	MBR bool `json:"mbr,omitempty"`
}

// goAhead is what the host answers to a Geometry.
type goAhead struct {
	Go bool `json:"go"`
}

// message is one line from the worker: exactly one field is set.
type message struct {
	Progress *Progress `json:"progress,omitempty"`
	Geometry *Geometry `json:"geometry,omitempty"`
	Result   *Result   `json:"result,omitempty"`
	Failure  *failure  `json:"failure,omitempty"`
}

// Progress is how far the work is: the bytes of the image's data that are done, and how
// many there are; the stored bytes where only the end of the image tells how large its
// disk is, and where it is unpacked. A Total of 0 is an unknown number.
type Progress struct {
	// Unpacking means that the image is on its way to where it can be read in any order,
	// and that nothing is on the disk yet.
	Unpacking bool  `json:"unpacking,omitempty"`
	Position  int64 `json:"position"`
	Total     int64 `json:"total"`
}

// failure is a report.Failure on the wire; the host knows on what.
type failure struct {
	At     side   `json:"at,omitempty"`
	What   string `json:"what"`
	Cause  string `json:"cause"`
	Remedy string `json:"remedy,omitempty"`
}

// Errors of a conversation.
var (
	errSilent   = errors.New("it ended without a result")
	errProtocol = errors.New("the image worker broke the protocol")
)

// listen reads the worker's lines up to their end. It returns the one result,
// or the failure the worker reports. allow lets the worker go on, once; over is called
// when there is a result.
func listen(r io.Reader, j Job, allow func() error, over func()) (Result, error) {
	s := bufio.NewScanner(r)
	s.Buffer(make([]byte, 0, maxLine), maxLine)
	l := listener{job: j, allow: allow}
	for s.Scan() {
		if err := l.line(s.Bytes()); err != nil {
			return Result{}, err
		}
		if l.result != nil {
			over()
		}
	}
	switch {
	case s.Err() != nil:
		return Result{}, fmt.Errorf("%w: %w", errProtocol, s.Err())
	case l.result == nil:
		return Result{}, errSilent
	}
	return *l.result, nil
}

// listener is the state of one conversation.
type listener struct {
	job      Job
	lines    int
	position int64
	geometry *Geometry
	allow    func() error
	result   *Result
}

func (l *listener) line(b []byte) error {
	var m message
	if err := json.Unmarshal(b, &m); err != nil {
		return fmt.Errorf("%w: %w", errProtocol, err)
	}
	l.lines++
	switch {
	case l.lines > maxLines || l.result != nil:
		return fmt.Errorf("%w: more output than allowed", errProtocol)
	case m.Geometry != nil:
		return l.ask(*m.Geometry)
	case m.Progress != nil:
		return l.progress(*m.Progress)
	case m.Failure != nil:
		return m.Failure.report(l.job)
	case m.Result != nil:
		l.result = m.Result
		if err := l.asked(m.Result); err != nil {
			return err
		}
		return m.Result.check(l.job)
	}
	return fmt.Errorf("%w: an empty message", errProtocol)
}

// ask lets the job's owner judge the geometry, and the worker go on.
func (l *listener) ask(g Geometry) error {
	if l.geometry != nil || l.job.Action == Import || l.job.Action == Export {
		return fmt.Errorf("%w: a geometry that is not due", errProtocol)
	}
	if err := g.check(); err != nil {
		return err
	}
	l.geometry, l.position = &g, 0 // what it was unpacked from does not count
	if l.job.Geometry != nil {
		if err := l.job.Geometry(g); err != nil {
			return &refused{err}
		}
	}
	return l.allow()
}

// refused is the verdict of the job's owner about a geometry.
type refused struct{ error }

func (r *refused) Unwrap() error { return r.error }

// check refuses a geometry that cannot be.
func (g *Geometry) check() error {
	if g.DiskBytes < 0 || g.DiskBytes%format.Sector != 0 || len(g.Layers) > maxLayers || !slices.Contains(format.Names(), g.Format) {
		return fmt.Errorf("%w: an impossible geometry", errProtocol)
	}
	for _, l := range g.Layers {
		if !slices.Contains(format.LayerNames(), l) {
			return fmt.Errorf("%w: an unknown layer", errProtocol)
		}
	}
	return nil
}

// maxLayers is more than any image has.
const maxLayers = 16

// asked refuses a result of what was not asked for, or was not allowed.
func (l *listener) asked(r *Result) error {
	g := l.geometry
	switch {
	case l.job.Action != Deploy && l.job.Action != Look:
		return nil
	case g == nil || l.job.Action == Deploy && g.DiskBytes != 0 && g.DiskBytes != r.ImageBytes:
		return fmt.Errorf("%w: a disk of %d bytes without its geometry", errProtocol, r.ImageBytes)
	}
	return nil
}

func (l *listener) progress(p Progress) error {
	unknown, most := l.job.Action == Import || l.geometry != nil && l.geometry.DiskBytes == 0, max(l.job.DiskSize, l.job.Stored)
	impossible := false
	if p.Unpacking {
		unknown, most = l.job.Stored == 0, cmp.Or(l.job.Stored, math.MaxInt64)
		impossible = l.job.Action != Deploy || l.geometry != nil || p.Total != l.job.Stored
	}
	unknown = unknown && p.Total == 0
	if impossible || p.Position < l.position || p.Total < p.Position && !unknown || max(p.Position, p.Total) > most {
		return fmt.Errorf("%w: progress %d of %d after %d", errProtocol, p.Position, p.Total, l.position)
	}
	l.position = p.Position
	if l.job.Progress != nil {
		l.job.Progress(p)
	}
	return nil
}

// check refuses a result that cannot be true.
func (r *Result) check(j Job) error {
	if j.Action == Look {
		return nil
	}
	sum, err := hex.DecodeString(r.Digest)
	behind := j.DiskSize - r.ImageBytes
	switch {
	case j.Action == Deploy && (err != nil || len(sum) != digestSize):
		return fmt.Errorf("%w: malformed digest", errProtocol)
	case r.ImageBytes <= 0 || behind < 0 || r.DataBytes < 0 || r.ZeroedBytes < 0 || r.DataBytes+r.ZeroedBytes != r.ImageBytes:
		return fmt.Errorf("%w: %d bytes of data and %d of zero do not make an image of %d for a disk of %d",
			errProtocol, r.DataBytes, r.ZeroedBytes, r.ImageBytes, j.DiskSize)
	case r.WipedBytes < 0 || r.WipedBytes > behind:
		return fmt.Errorf("%w: wiped %d of %d bytes", errProtocol, r.WipedBytes, behind)
	case !r.Wiped.Valid() || r.Seconds < 0:
		return fmt.Errorf("%w: an impossible result", errProtocol)
	}
	return j.Action.check(r, j)
}

// report turns what the worker says into a Failure about one of its descriptors. It can
// be about nothing else.
func (f *failure) report(j Job) error {
	kind, on := j.Action.about(f.At, j)
	return &report.Failure{Kind: kind, On: on, What: report.Clean(f.What), Cause: errors.New(report.Clean(f.Cause)), Remedy: report.Clean(f.Remedy)}
}
