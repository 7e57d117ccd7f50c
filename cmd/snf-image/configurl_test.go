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
	fixed := file("fixed.json", `{"img_properties": {}}`)
	for _, tc := range []struct {
		name     string
		args     []string
		code     int
		want     string
		requests int32
	}{
		{"its properties are bad", []string{"--config-url", server.URL}, 2, server.URL + ":1:", 1},
		{"named by --params", []string{"--params", url}, 2, "SWAP", 1},
		{"--params wins", []string{"--config-url", server.URL, "--params", fixed}, 3, "/fetched: ", 1},
		{"a bad flag", []string{"--config-url", server.URL, "--property", "SWAP=zz"}, 2, "SWAP", 0},
		{"a missing file", []string{"--config-url", server.URL, "--password-file", dir + "/gone"}, 2, "gone", 0},
		{"a dry run", []string{"--config-url", server.URL, "--dry-run"}, 3, "not fetched in a dry run", 0},
		{"not allowed", []string{"--config-url", server.URL, "--config", closed}, 2, "ALLOW_URL", 0},
		{"a file", []string{"--config-url", "file:///etc/passwd"}, 2, "only http, https, ftp and ftps", 0},
		{"no URL, so nothing of it is shown", []string{"--config-url", "http:user:secret@host/"}, 2, "on config_url: it is not a URL", 0},
		{"nobody there", []string{"--config-url", "http://127.0.0.1:1/", "--config", file("any", "ALLOW_URL=http://127.0.0.1\n")}, 2, "connection refused; check the URL", 0},
	} {
		requests.Store(0)
		var out, errs bytes.Buffer
		args := append([]string{"deploy", "--config", conf, "--disk", dir + "/disk", "--size", "8M", "--name", "a.b", "--progress", "plain"}, tc.args...)
		err := run(t.Context(), strings.NewReader(""), &out, &errs, args)
		printFailure(&errs, err)
		if code := exitCode(err); code != tc.code || !strings.Contains(errs.String(), tc.want) || requests.Load() != tc.requests {
			t.Errorf("%s: %d, %d requests, %s, want %d, %d requests, %q", tc.name, code, requests.Load(), errs.String(), tc.code, tc.requests, tc.want)
		}
		if _, err := os.Stat(dir + "/disk"); err == nil {
			t.Errorf("%s: the disk was made", tc.name)
		}
	}
}

// TestConfigURLNamesNoPath keeps the files of the node from a server that names
// one as the image: it would be copied to the machine's disk.
func TestConfigURLNamesNoPath(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	secret := filepath.Join(dir, "secret")
	if err := os.WriteFile(secret, bytes.Repeat([]byte("secret!\n"), 1<<17), 0o600); err != nil {
		t.Fatal(err)
	}
	var answer atomic.Value
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, answer.Load()) }))
	t.Cleanup(server.Close)
	conf := filepath.Join(dir, "conf")
	if err := os.Mkdir(dir+"/images", 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(conf, []byte("IMAGE_DIR="+dir+"/images\nHELPER_DIR="+dir+"/none\nALLOW_URL="+server.URL+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	relative, err := filepath.Rel(here, secret)
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		parameters, want string
		code             int
	}{
		{`"img_id": "` + secret + `"`, "img_id: a path of this node", 2},
		{`"IMG_ID": "file://` + secret + `"`, "img_id: a path of this node", 2},
		{`"img_id": "` + relative + `"`, "img_id: a path of this node", 2},
		{`"img_id": "fetch_test.go"`, dir + "/images/fetch_test.go: ", 3}, // there, but not in IMAGE_DIR
		{`"img_id": "local://` + secret + `"`, "images" + secret + ": ", 3},
		{`"img_id": "http://127.0.0.1:1/x"`, "ALLOW_URL", 3},
		{`"img_id": "null", "os_answer_file": "` + secret + `"`, "os_answer_file: a path of this node", 2},
		{`"img_id": "null", "os_answer_file": "file://` + secret + `"`, "only http, https, ftp and ftps", 2},
	} {
		answer.Store(`{` + tc.parameters + `, "img_properties": {"EXCLUDE_ALL_TASKS": "yes"}}`)
		var out, errs bytes.Buffer
		args := []string{"deploy", "--config", conf, "--disk", dir + "/disk", "--size", "8M", "--config-url", server.URL}
		err := run(t.Context(), strings.NewReader(""), &out, &errs, args)
		printFailure(&errs, err)
		if code := exitCode(err); code != tc.code || !strings.Contains(errs.String(), tc.want) {
			t.Errorf("%s: %d, %s, want %d, %q", tc.parameters, code, errs.String(), tc.code, tc.want)
		}
		if _, err := os.Stat(dir + "/disk"); err == nil {
			t.Fatalf("%s: the disk was made", tc.parameters)
		}
	}
}
