package jsondoc

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"snf-image/internal/host/problem"

	"github.com/google/go-cmp/cmp"
)

func TestParseJSONErrors(t *testing.T) {
	t.Parallel()
	deep := strings.Repeat("[", maxJSONDepth+2)
	for _, tc := range []struct {
		name, in string
		offset   int
		rule     error
	}{
		{"empty", "", 0, ErrSyntax},
		{"white space only", " \n", 2, ErrSyntax},
		{"two values", "{} {}", 3, ErrSyntax},
		{"comma at the end", `{"a":1,}`, 7, ErrSyntax},
		{"no colon", `{"a" 1}`, 5, ErrSyntax},
		{"name without quotes", `{a:1}`, 1, ErrSyntax},
		{"open object", `{"a":1`, 6, ErrSyntax},
		{"open array", `[1`, 2, ErrSyntax},
		{"open string", `"abc`, 4, ErrSyntax},
		{"leading zero", `01`, 1, ErrSyntax},
		{"no digit after the point", `1.`, 2, ErrSyntax},
		{"no exponent", `1e+`, 3, ErrSyntax},
		{"minus alone", `-`, 1, ErrSyntax},
		{"control character", "\"a\x01\"", 2, ErrSyntax},
		{"bad escape", `"\q"`, 1, ErrSyntax},
		{"escape at the end", `"\`, 1, ErrSyntax},
		{"short unicode escape", `"\u12"`, 1, ErrSyntax},
		{"lone surrogate", `"\ud800x"`, 1, ErrSyntax},
		{"not UTF-8", "\"\xff\"", 1, ErrSyntax},
		{"too deep", deep, maxJSONDepth + 1, problem.ErrTooLarge},
		{"word", "nul", 0, ErrSyntax},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			_, err := Parse(tc.in)
			if err == nil {
				t.Fatalf("parseJSON(%q) accepted", tc.in)
			}
			if err.Offset != tc.offset || !errors.Is(err.Rule, tc.rule) {
				t.Errorf("parseJSON(%q) = offset %d, %v, want %d, %v", tc.in, err.Offset, err.Rule, tc.offset, tc.rule)
			}
		})
	}
}

func TestParseJSONTooManyValues(t *testing.T) {
	t.Parallel()
	_, err := Parse("[" + strings.Repeat("1,", maxJSONNodes) + "1]")
	if err == nil || !errors.Is(err.Rule, problem.ErrTooLarge) {
		t.Errorf("parseJSON of too many values = %+v, want %v", err, problem.ErrTooLarge)
	}
}

// plain turns a node into what encoding/json makes of the same text.
func plain(n Node) any {
	switch n.Kind {
	case String:
		return n.Text
	case Number:
		return json.Number(n.Text)
	case Bool:
		return n.Text == "true"
	case Array:
		out := []any{}
		for _, item := range n.Items {
			out = append(out, plain(item))
		}
		return out
	case Object:
		out := map[string]any{}
		for _, m := range n.Members {
			out[m.Name] = plain(m.Value)
		}
		return out
	}
	return nil
}

// checkJSON compares our parser with encoding/json: what that one accepts we
// accept too, with the same value, apart from limits and bad UTF-8.
func checkJSON(t *testing.T, text string) {
	t.Helper()
	var want any
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	if !json.Valid([]byte(text)) || d.Decode(&want) != nil {
		return
	}
	n, err := Parse(text)
	if err != nil {
		if errors.Is(err.Rule, problem.ErrTooLarge) || strings.Contains(err.Text, "UTF-8") || strings.Contains(err.Text, "escape") {
			return
		}
		t.Fatalf("parseJSON(%q) = %+v, encoding/json takes it", text, err)
	}
	if diff := cmp.Diff(want, plain(n)); diff != "" {
		t.Errorf("parseJSON(%q) (-encoding/json +ours):\n%s", text, diff)
	}
}

func TestParseJSONAgainstEncodingJSON(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		`{}`, `[]`, `""`, `null`, ` true `, `-0.5e+10`, `[1,[2,{"a":[]}]]`,
		`{"a":"\"\\\/\b\f\n\r\t","ü":"\u00e9\ud83d\ude00é😀"}`, `{"a":1,"a":2}`, "\t[ 1 ,\r\n2 ]",
	} {
		checkJSON(t, text)
	}
}

func TestParseJSONRawBreaksInStrings(t *testing.T) {
	t.Parallel()
	n, err := Parse("\"a\n\tb\r\"")
	if err != nil || n.Text != "a\n\tb\r" {
		t.Errorf("parseJSON of raw breaks = %q, %+v", n.Text, err)
	}
}

func FuzzParseJSON(f *testing.F) {
	for _, seed := range []string{`{"a":[1,"x\n\u00e9",null,true]}`, `"\ud83d\ude00"`, "[", `{"a":`, "\"\n\""} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		checkJSON(t, text)
		if n, err := Parse(text); err == nil && (n.Start > n.End || n.End > len(text)) {
			t.Errorf("value at %d to %d of %d bytes", n.Start, n.End, len(text))
		}
	})
}
