package worker

import (
	"bufio"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"snf-image/internal/host/target"
	"snf-image/internal/report"
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

// message is one line from the worker: exactly one field is set.
type message struct {
	Progress *progress `json:"progress,omitempty"`
	Result   *Result   `json:"result,omitempty"`
	Failure  *failure  `json:"failure,omitempty"`
}

type progress struct {
	Position int64 `json:"position"`
	Total    int64 `json:"total"`
}

// failure is a report.Failure on the wire; the host knows on what.
type failure struct {
	Kind   report.Kind `json:"kind"`
	What   string      `json:"what"`
	Cause  string      `json:"cause"`
	Remedy string      `json:"remedy,omitempty"`
}

// Errors of a conversation.
var (
	errSilent   = errors.New("it ended without a result")
	errProtocol = errors.New("the image worker broke the protocol")
)

// listen reads the worker's lines up to their end. It returns the one result,
// or the failure the worker reports.
func listen(r io.Reader, j Job) (Result, error) {
	s := bufio.NewScanner(r)
	s.Buffer(make([]byte, 0, maxLine), maxLine)
	l := listener{job: j}
	for s.Scan() {
		if err := l.line(s.Bytes()); err != nil {
			return Result{}, err
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
		return fmt.Errorf("%w: it says too much", errProtocol)
	case m.Progress != nil:
		return l.progress(*m.Progress)
	case m.Failure != nil:
		return m.Failure.report(l.job)
	case m.Result != nil:
		l.result = m.Result
		return m.Result.check(l.job)
	}
	return fmt.Errorf("%w: an empty message", errProtocol)
}

func (l *listener) progress(p progress) error {
	unknown := p.Total == 0 && (l.job.Stream || l.job.Action == Import)
	if p.Position < l.position || p.Total < p.Position && !unknown || max(p.Position, p.Total) > l.job.DiskSize {
		return fmt.Errorf("%w: progress %d of %d after %d", errProtocol, p.Position, p.Total, l.position)
	}
	l.position = p.Position
	if l.job.Progress != nil {
		l.job.Progress(p.Position, p.Total)
	}
	return nil
}

// check refuses a result that cannot be true.
func (r *Result) check(j Job) error {
	sum, err := hex.DecodeString(r.Digest)
	behind := j.DiskSize - r.ImageBytes
	switch {
	case j.Action == Deploy && (err != nil || len(sum) != digestSize):
		return fmt.Errorf("%w: the digest is none", errProtocol)
	case r.ImageBytes <= 0 || behind < 0 || r.DataBytes < 0 || r.ZeroedBytes < 0 || r.DataBytes+r.ZeroedBytes != r.ImageBytes:
		return fmt.Errorf("%w: %d bytes of data and %d of zero make no image of %d for a disk of %d",
			errProtocol, r.DataBytes, r.ZeroedBytes, r.ImageBytes, j.DiskSize)
	case r.WipedBytes < 0 || r.WipedBytes > behind:
		return fmt.Errorf("%w: wiped %d of %d bytes", errProtocol, r.WipedBytes, behind)
	case !r.Wiped.Valid() || r.Seconds < 0:
		return fmt.Errorf("%w: an impossible result", errProtocol)
	}
	return j.Action.check(r, j)
}

// report turns what the worker says into a Failure on the image or the disk.
// It can blame nothing else.
func (f *failure) report(j Job) error {
	kind, on := j.Action.blamed(f.Kind, j)
	return &report.Failure{Kind: kind, On: on, What: report.Clean(f.What), Cause: errors.New(report.Clean(f.Cause)), Remedy: report.Clean(f.Remedy)}
}
