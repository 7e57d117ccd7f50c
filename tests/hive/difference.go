package hive

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"snf-image/tests/require"
)

// Difference returns what hivexml says of the keys and values that two hives do not have in
// common: "- " or "+ ", path, type and content.
func Difference(t testing.TB, before, after []byte) []string {
	t.Helper()
	if bytes.Equal(before, after) {
		return nil
	}
	old, now := contents(t, before), contents(t, after)
	var out []string
	for _, path := range slices.Sorted(maps.Keys(old)) {
		if now[path] != old[path] {
			out = append(out, "- "+path+old[path])
		}
	}
	for _, path := range slices.Sorted(maps.Keys(now)) {
		if now[path] != old[path] {
			out = append(out, "+ "+path+now[path])
		}
	}
	return out
}

// contents returns everything of a hive but times, and where it lies.
func contents(t testing.TB, data []byte) map[string]string {
	t.Helper()
	tool := require.Tool(t, "hivexml")
	file := filepath.Join(t.TempDir(), "hive")
	check(t, os.WriteFile(file, data, 0o600))
	text, err := exec.Command(tool, file).Output()
	check(t, err)
	found := map[string]string{}
	var keys []string
	var value string // that is being read
	for d := xml.NewDecoder(strings.NewReader(string(text))); ; {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return found
		}
		check(t, err)
		switch e := token.(type) {
		case xml.StartElement:
			switch e.Name.Local {
			case "node":
				keys = append(keys, attribute(e, "name"))
				found[strings.Join(keys, `\`)] = ""
			case "value":
				value = strings.Join(keys, `\`) + `\\` + attribute(e, "key")
				found[value] = " " + strings.Join([]string{attribute(e, "type"), attribute(e, "encoding"), attribute(e, "value")}, " ")
			}
		case xml.CharData:
			if text := strings.TrimSpace(string(e)); value != "" && text != "" {
				found[value] += " " + text
			}
		case xml.EndElement:
			switch e.Name.Local {
			case "node":
				keys = keys[:len(keys)-1]
			case "value":
				value = ""
			}
		}
	}
}

func attribute(e xml.StartElement, name string) string {
	for _, a := range e.Attr {
		if a.Name.Local == name {
			return a.Value
		}
	}
	return ""
}

// Exported returns the lines of what regfexport, of another library, says of two hives, from the
// first that differs to the last.
func Exported(t testing.TB, before, after []byte) (old, now []string) {
	t.Helper()
	if bytes.Equal(before, after) {
		return nil, nil
	}
	old, now = export(t, before), export(t, after)
	for len(old) > 0 && len(now) > 0 && old[0] == now[0] {
		old, now = old[1:], now[1:]
	}
	for len(old) > 0 && len(now) > 0 && old[len(old)-1] == now[len(now)-1] {
		old, now = old[:len(old)-1], now[:len(now)-1]
	}
	return old, now
}

func export(t testing.TB, data []byte) []string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "hive")
	check(t, os.WriteFile(file, data, 0o600))
	out, err := exec.Command(require.Tool(t, "regfexport"), file).Output()
	check(t, err)
	return strings.Split(string(out), "\n")
}
