package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestFailuresAreJSON has commands fail that were asked for JSON.
func TestFailuresAreJSON(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	conf := filepath.Join(dir, "conf")
	if err := os.WriteFile(conf, []byte("HELPER_DIR="+dir+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		args []string
		code int
	}{
		{[]string{"inspect", "--json", "--config", conf, dir + "/gone"}, 3},
		{[]string{"inspect", "--json", "--config", conf, conf}, 6},
		{[]string{"inspect", "--json", "--config", dir + "/gone", "x"}, 2},
		{[]string{"inspect", "--json", "--config", conf, "http://192.0.2.1/x"}, 2},
		{[]string{"doctor", "--json", "--config", dir + "/gone"}, 2},
		{[]string{"helper", "info", "--json", "--config", conf}, 6},
		{[]string{"helper", "info", "--json", "--config", dir + "/gone"}, 2},
	} {
		var out, errs bytes.Buffer
		code := exitCode(run(t.Context(), strings.NewReader(""), &out, &errs, tc.args))
		var got struct {
			Failure struct {
				Kind, Message string
				Exit          int `json:"exit_code"`
			}
		}
		if err := json.Unmarshal(out.Bytes(), &got); err != nil || code != tc.code || got.Failure.Exit != code || got.Failure.Message == "" {
			t.Errorf("%q = %d, %q, %v, want %d", tc.args, code, out.String(), err, tc.code)
		}
	}
}
