package main

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
)

// TestConfigURL looks at who wins, and that nothing is asked for in vain. Without
// a helper image every run ends before it touches its disk.
func TestConfigURL(t *testing.T) {
	t.Parallel()
	var requests atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		fmt.Fprint(w, `{"img_id": "fetched", "img_properties": {"SWAP": "zz"}, "img_format": "raw"}`)
	}))
	t.Cleanup(server.Close)
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	conf := file("conf", "HELPER_DIR="+dir+"/none\nIMG_ID=configured\nALLOW_URL="+server.URL+"\n")
	closed := file("closed", "HELPER_DIR="+dir+"/none\n")
	url := file("url.json", `{"config_url": "`+server.URL+`"}`)
	mended := file("mended.json", `{"img_properties": {}}`)
	for _, tc := range []struct {
		name     string
		args     []string
		code     int
		want     string
		requests int32
	}{
		{"its properties are bad", []string{"--config-url", server.URL}, 2, server.URL + ":1:", 1},
		{"named by --params", []string{"--params", url}, 2, "SWAP", 1},
		{"--params wins", []string{"--config-url", server.URL, "--params", mended}, 6, "helper", 1},
		{"a bad flag", []string{"--config-url", server.URL, "--property", "SWAP=zz"}, 2, "SWAP", 0},
		{"a missing file", []string{"--config-url", server.URL, "--password-file", dir + "/gone"}, 2, "gone", 0},
		{"a dry run", []string{"--config-url", server.URL, "--dry-run"}, 6, "not fetched in a dry run", 0},
		{"not allowed", []string{"--config-url", server.URL, "--config", closed}, 2, "ALLOW_URL", 0},
		{"a file", []string{"--config-url", "file:///etc/passwd"}, 2, "only http, https, ftp and ftps", 0},
		{"no URL, so nothing of it is shown", []string{"--config-url", "http:user:secret@host/"}, 2, "on config_url: it is not a URL", 0},
		{"nobody there", []string{"--config-url", "http://127.0.0.1:1/", "--config", file("any", "ALLOW_URL=http://127.0.0.1\n")}, 2, "connection refused; check the URL", 0},
	} {
		requests.Store(0)
		var out, errs bytes.Buffer
		args := append([]string{"deploy", "--config", conf, "--disk", dir + "/disk", "--size", "8M", "--name", "a.b", "--progress", "plain"}, tc.args...)
		err := run(t.Context(), strings.NewReader(""), &out, &errs, args)
		lastWord(&errs, err)
		if code := exitCode(err); code != tc.code || !strings.Contains(errs.String(), tc.want) || requests.Load() != tc.requests {
			t.Errorf("%s: %d, %d requests, %s, want %d, %d requests, %q", tc.name, code, requests.Load(), errs.String(), tc.code, tc.requests, tc.want)
		}
		if _, err := os.Stat(dir + "/disk"); err == nil {
			t.Errorf("%s: the disk was made", tc.name)
		}
	}
}
