package report

import (
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestClean(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"":                                     "",
		"plain text, ünïcödé 漢字":               "plain text, ünïcödé 漢字",
		`C:\a\b "q"`:                           `C:\a\b "q"`,
		"a\nb\r\tc\x00":                        `a\nb\r\tc\x00`,
		"\x1b[31mred\x07":                      `\x1b[31mred\a`,
		"\x9b31m":                              `\x9b31m`,
		"\u009b31m":                            `\u009b31m`,
		"\xff\xfe":                             `\xff\xfe`,
		"a\u202eb\u200bc\u2028d":               `a\u202eb\u200bc\u2028d`,
		"\ufffd":                               "\ufffd",
		strings.Repeat("x", MaxLine):           strings.Repeat("x", MaxLine),
		strings.Repeat("x", MaxLine+1):         strings.Repeat("x", MaxLine-len(cut)) + cut,
		strings.Repeat("x", MaxLine-3) + "é\n": strings.Repeat("x", MaxLine-3) + cut,
	} {
		if got := Clean(in); got != want {
			t.Errorf("Clean(%q) = %q, want %q", in, got, want)
		}
		if got := Printable(in); len(in) < MaxLine && got != want {
			t.Errorf("Printable(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestPrintableIsNotCut(t *testing.T) {
	t.Parallel()
	in := strings.Repeat("x\n", MaxLine)
	if got, want := Printable(in), strings.Repeat(`x\n`, MaxLine); got != want {
		t.Errorf("Printable returns %d bytes, want %d", len(got), len(want))
	}
}

func FuzzClean(f *testing.F) {
	f.Add("a\x1b[2Jb\u202e\xff")
	f.Add(strings.Repeat("é\n", 300))
	f.Fuzz(func(t *testing.T, in string) {
		got := Clean(in)
		if len(got) > MaxLine || !utf8.ValidString(got) {
			t.Errorf("Clean(%q) has %d bytes: %q", in, len(got), got)
		}
		for _, r := range got {
			if !strconv.IsPrint(r) {
				t.Errorf("Clean(%q) = %q holds %U", in, got, r)
			}
		}
		if Clean(got) != got {
			t.Errorf("Clean(%q) is not clean", got)
		}
	})
}
