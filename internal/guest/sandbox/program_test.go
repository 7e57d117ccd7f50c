package sandbox

import (
	"strings"
	"testing"
)

// Of output that is too long, no part of a line stays: it would pass a redaction.
func TestOutputIsCutBetweenLines(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"short":                    "short",
		"geheim\nnext\n":           "geheim\nnext\n",
		"geheim but a single line": "geheim but a single line",
	} {
		var o output
		_, _ = o.Write([]byte(text))
		if got := o.text(); got != want {
			t.Errorf("text = %q, want %q", got, want)
		}
	}
	var o output
	_, _ = o.Write([]byte("geheim" + strings.Repeat("x", maxProgramOutput-6)))
	_, _ = o.Write([]byte("xxx"))
	if got := o.text(); got != "" {
		t.Errorf("the end of a line that was cut stays: %d bytes", len(got))
	}
	_, _ = o.Write([]byte("\nlast words\n"))
	if got := o.text(); got != "last words\n" {
		t.Errorf("text = %q, want the last line", got)
	}
}
