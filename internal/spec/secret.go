package spec

import (
	"fmt"
	"io"
	"log/slog"
)

// Secret is text that must not reach a log, a report or an error. Formatting
// it in any way shows a placeholder; JSON carries the text, because the channel
// to the agent must.
type Secret string

const Redacted = "[secret]"

// String returns a placeholder.
func (Secret) String() string { return Redacted }

// Format writes a placeholder whatever the verb is.
func (Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, Redacted) }

// LogValue returns a placeholder.
func (Secret) LogValue() slog.Value { return slog.StringValue(Redacted) }

// Reveal returns the text.
func (s Secret) Reveal() string { return string(s) }
