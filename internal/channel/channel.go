// Package channel carries the messages between host and agent over a
// virtio-serial port: a 4-byte big-endian length, then one JSON object.
//
// The host treats what comes up as hostile: a frame longer than MaxUp, too many
// frames or too many bytes in all end the conversation.
package channel

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// Version is the protocol version; both ends must have the same.
const Version = 2

// Limits of frames and conversations.
const (
	MaxUp         = 64 << 10 // bytes of one frame from the agent
	MaxDown       = 16 << 20 // bytes of one frame from the host
	MaxUpFrames   = 4096     // frames from the agent in one run
	MaxUpTotal    = 16 << 20 // bytes from the agent in one run
	lengthOfFrame = 4
)

// Type names a message.
type Type string

// The messages in the order they are exchanged. Hello, Inspected, Event and
// Result go up, the others down. Events of the log alone may come before Inspected.
const (
	Hello       Type = "hello"
	Plan        Type = "plan"
	DiskReady   Type = "disk-ready"
	Inspected   Type = "inspected"
	Credentials Type = "credentials"
	Event       Type = "event"
	Result      Type = "result"
)

// HelloBody is the body of Hello.
type HelloBody struct {
	Version int    `json:"version"`
	Release string `json:"release"`
	Nonce   string `json:"nonce"`
	Digest  string `json:"digest"` // of the helper image's list of contents, hexadecimal SHA-256
}

// DiskReadyBody is the body of DiskReady.
type DiskReadyBody struct {
	// ImageBytes is the size of the disk in the image that was written, 0 without one: a
	// partition that ends behind it was cut off.
	ImageBytes int64 `json:"image_bytes,omitempty"`
}

// Message is one frame.
type Message struct {
	Type Type            `json:"type"`
	Body json.RawMessage `json:"body,omitempty"`
}

// Errors of a conversation.
var (
	ErrTooLong = errors.New("message longer than the limit")
	ErrTooMany = errors.New("more messages than the limit")
)

// Reader reads frames and enforces limits. It is not safe for concurrent use.
type Reader struct {
	r         io.Reader
	maxFrame  uint32
	maxFrames int
	maxTotal  int64
	frames    int
	total     int64
}

// NewHostReader returns a Reader for what the agent sends.
func NewHostReader(r io.Reader) *Reader {
	return &Reader{r: r, maxFrame: MaxUp, maxFrames: MaxUpFrames, maxTotal: MaxUpTotal}
}

// NewAgentReader returns a Reader for what the host sends.
func NewAgentReader(r io.Reader) *Reader {
	return &Reader{r: r, maxFrame: MaxDown, maxFrames: MaxUpFrames, maxTotal: 4 * MaxDown}
}

// Read returns the next message. It returns io.EOF at a clean end,
// io.ErrUnexpectedEOF inside a frame, ErrTooLong or ErrTooMany beyond a limit.
func (r *Reader) Read() (Message, error) {
	var m Message
	var head [lengthOfFrame]byte
	if _, err := io.ReadFull(r.r, head[:]); err != nil {
		return m, err
	}
	n := binary.BigEndian.Uint32(head[:])
	if n > r.maxFrame {
		return m, fmt.Errorf("frame of %d bytes: %w", n, ErrTooLong)
	}
	r.frames++
	r.total += int64(n)
	if r.frames > r.maxFrames || r.total > r.maxTotal {
		return m, fmt.Errorf("frame %d, %d bytes in all: %w", r.frames, r.total, ErrTooMany)
	}
	body := make([]byte, n)
	if _, err := io.ReadFull(r.r, body); err != nil {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return m, err
	}
	if err := json.Unmarshal(body, &m); err != nil {
		return Message{}, fmt.Errorf("frame %d: %w", r.frames, err)
	}
	if m.Type == "" {
		return Message{}, fmt.Errorf("frame %d: message without type", r.frames)
	}
	return m, nil
}

// Write sends one message with body encoded as JSON; nil means no body. The
// frame is written with one call of w.Write.
func Write(w io.Writer, t Type, body any, limit int) error {
	m := Message{Type: t}
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			return fmt.Errorf("encoding %s message: %w", t, err)
		}
		m.Body = b
	}
	b, err := json.Marshal(m)
	if err != nil {
		return fmt.Errorf("encoding %s message: %w", t, err)
	}
	if len(b) > limit {
		return fmt.Errorf("%s message of %d bytes: %w", t, len(b), ErrTooLong)
	}
	frame := make([]byte, lengthOfFrame, lengthOfFrame+len(b))
	binary.BigEndian.PutUint32(frame, uint32(len(b)))
	if _, err := w.Write(append(frame, b...)); err != nil {
		return fmt.Errorf("sending %s message: %w", t, err)
	}
	return nil
}
