package reportfile

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"snf-image/internal/report"

	"github.com/google/go-cmp/cmp"
)

func TestArchiveKeepsTheLastFew(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "reports")
	for n := range Kept + 2 {
		if err := Archive(dir, "web1", &report.Deployment{Name: fmt.Sprint(n)}); err != nil {
			t.Fatal(err)
		}
	}
	if err := Archive(dir, "web1.1", &report.Deployment{Name: "other"}); err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		var d report.Deployment
		text, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil || json.Unmarshal(text, &d) != nil {
			t.Errorf("%s: %v, %s", e.Name(), err, text)
		}
		if st, err := e.Info(); err != nil || st.Mode() != 0o600 {
			t.Errorf("%s has mode %v, %v, want 0600", e.Name(), st.Mode(), err)
		}
		got[e.Name()] = d.Name
	}
	want := map[string]string{
		"web1.json": "6", "web1.json.1": "5", "web1.json.2": "4", "web1.json.3": "3", "web1.json.4": "2", "web1.1.json": "other",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("reports (-want +got):\n%s", diff)
	}
	if st, err := os.Stat(dir); err != nil || st.Mode().Perm() != 0o700 {
		t.Errorf("the directory has mode %v, %v, want 0700", st.Mode(), err)
	}
}

// TestArchiveStaysInItsDirectory: names come from whoever names instances.
func TestArchiveStaysInItsDirectory(t *testing.T) {
	t.Parallel()
	top := t.TempDir()
	dir := filepath.Join(top, "reports")
	for name, want := range map[string]string{
		"../../etc/passwd": "_._.._etc_passwd.json", ".": "_.json", ".hidden": "_hidden.json", "a/b\n\x00c": "a_b__c.json", "ä b": "__b.json",
		strings.Repeat("x", 1000): strings.Repeat("x", maxName) + ".json",
	} {
		if err := Archive(dir, name, &report.Deployment{}); err != nil {
			t.Errorf("Archive of %q = %v", name, err)
		}
		if _, err := os.Stat(filepath.Join(dir, want)); err != nil {
			entries, _ := os.ReadDir(dir)
			t.Errorf("Archive of %q: %v; there are %v", name, err, entries)
		}
	}
	if entries, _ := os.ReadDir(top); len(entries) != 1 {
		t.Errorf("outside of the directory: %v", entries)
	}
	if err := Archive(dir, "", &report.Deployment{}); err == nil {
		t.Error("Archive of no name succeeded")
	}
}

// TestArchiveRefuses a directory that is missing with its parent, and one of others'.
func TestArchiveRefuses(t *testing.T) {
	t.Parallel()
	top := t.TempDir()
	open := filepath.Join(top, "open")
	file := filepath.Join(top, "file")
	if err := os.Mkdir(open, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(open, 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for dir, want := range map[string]string{
		filepath.Join(top, "a/b"): "making the directory", open: "others may write", file: "opening the directory",
	} {
		if err := Archive(dir, "web1", &report.Deployment{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Archive in %s = %v, want %q", dir, err, want)
		}
	}
	if entries, _ := os.ReadDir(open); len(entries) != 0 {
		t.Errorf("left behind: %v", entries)
	}
}

// TestArchiveReplacesALink: what is in the place of a report is moved, not followed.
func TestArchiveReplacesALink(t *testing.T) {
	t.Parallel()
	top := t.TempDir()
	dir, victim := filepath.Join(top, "reports"), filepath.Join(top, "victim")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(victim, []byte("as it was"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(victim, filepath.Join(dir, "web1.json")); err != nil {
		t.Fatal(err)
	}
	if err := Archive(dir, "web1", &report.Deployment{}); err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(victim); err != nil || string(text) != "as it was" {
		t.Errorf("the link was followed: %q, %v", text, err)
	}
	if st, err := os.Lstat(filepath.Join(dir, "web1.json")); err != nil || !st.Mode().IsRegular() {
		t.Errorf("the report is %v, %v", st, err)
	}
}
