package report

import (
	"math"
	"strconv"
	"time"
)

// MessageType is the type of a progress message (docs/ganeti.md, Progress).
type MessageType string

// The types of progress message.
const (
	ImageInfo         MessageType = "image-info"
	ImageError        MessageType = "image-error"
	ImageCopyProgress MessageType = "image-copy-progress"
	ImageHelper       MessageType = "image-helper"
)

// Subtypes of ImageHelper.
const (
	SubtypeTaskStart = "task-start"
	SubtypeTaskEnd   = "task-end"
	SubtypeWarning   = "warning"
	SubtypeError     = "error"
)

// ProgressInterval is the time between two messages about the copy.
const ProgressInterval = 3 * time.Second

// maxStderr bounds the lines of Stderr.
const maxStderr = 10

// Message is one progress message. It is shown to the owner of the instance:
// no paths of the node, no configuration, no command lines belong in it.
type Message struct {
	Type      MessageType `json:"type"`
	Timestamp timestamp   `json:"timestamp"`
	Subtype   string      `json:"subtype,omitempty"`
	Task      string      `json:"task,omitempty"`
	Messages  []string    `json:"messages,omitempty"`
	Stderr    []string    `json:"stderr,omitempty"`
	Position  *int64      `json:"position,omitempty"`
	Total     *int64      `json:"total,omitempty"`
	Progress  *percent    `json:"progress,omitempty"`

	// Rate is how many bytes a second were copied since the last message, for the log.
	Rate int64 `json:"-"`
	// Took is how long a task took that ends, for the log.
	Took time.Duration `json:"-"`
}

// Info returns an image-info message.
func Info(texts ...string) Message {
	return Message{Type: ImageInfo, Messages: cleanAll(texts, MaxMessages)}
}

// Error returns an image-error message.
func Error(texts ...string) Message {
	return Message{Type: ImageError, Messages: cleanAll(texts, MaxMessages)}
}

// ErrorOutput returns an image-error message with the last lines a program
// wrote.
func ErrorOutput(lines []string) Message {
	return Message{Type: ImageError, Stderr: cleanAll(lines[max(0, len(lines)-maxStderr):], maxStderr)}
}

// HelperError returns an image-helper message about why the customization
// stopped.
func HelperError(task string, texts ...string) Message {
	return Message{Type: ImageHelper, Subtype: SubtypeError, Task: Clean(task), Messages: cleanAll(texts, MaxMessages)}
}

// CopyProgress returns a message about a copy that has done position of total
// bytes.
func CopyProgress(position, total int64) Message {
	done := percent(0)
	if total > 0 {
		done = percent(float64(position) * 100 / float64(total))
	}
	return Message{Type: ImageCopyProgress, Position: &position, Total: &total, Progress: &done}
}

// timestamp is a time as seconds since the epoch.
type timestamp float64

func newTimestamp(t time.Time) timestamp { return timestamp(float64(t.UnixMicro()) / 1e6) }

// MarshalJSON writes the seconds in decimal, never with an exponent.
func (t timestamp) MarshalJSON() ([]byte, error) {
	return strconv.AppendFloat(nil, float64(t), 'f', 6, 64), nil
}

// percent is a number from 0 to 100.
type percent float64

// MarshalJSON writes at least one and at most two decimals.
func (p percent) MarshalJSON() ([]byte, error) {
	rounded := math.Round(float64(p)*100) / 100
	if rounded == math.Trunc(rounded) {
		return strconv.AppendFloat(nil, rounded, 'f', 1, 64), nil
	}
	return strconv.AppendFloat(nil, rounded, 'f', -1, 64), nil
}
