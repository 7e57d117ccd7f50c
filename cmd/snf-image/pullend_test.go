package main

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"snf-image/tests/mirror"
)

// TestInterruptedPull leaves nothing of an image that had not come whole, and keeps others
// from the collection meanwhile.
func TestInterruptedPull(t *testing.T) {
	t.Parallel()
	m := mirror.New(t, shippedEntries)
	m.Publish("debian-13", content("debian"))
	come := make(chan bool)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasSuffix(r.URL.Path, ".qcow2") {
			http.FileServer(http.Dir(m.Root)).ServeHTTP(w, r)
			return
		}
		w.Header().Set("Content-Length", "100000")
		_, _ = w.Write(make([]byte, 2000))
		w.(http.Flusher).Flush()
		close(come)
		<-r.Context().Done()
	}))
	t.Cleanup(server.Close)
	n := newCatalogueNode(t, m, "CATALOGUE_MIRROR="+server.URL+"\nALLOW_URL="+server.URL+"\n")
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() {
		ended <- run(ctx, nil, io.Discard, io.Discard, []string{"image", "pull", "debian-13", "--config", n.conf})
	}()
	<-come
	n.does(5, "another image is being pulled", "image", "pull", "debian-13")
	cancel()
	if err := <-ended; err == nil {
		t.Error("the pull succeeded")
	}
	if got := n.held(); len(got) > 0 {
		t.Errorf("kept %q", got)
	}
	n.configure("")
	n.does(0, "debian-13", "image", "pull", "debian-13")
}

// TestExportedFile is written as a whole, and never in place of a device.
func TestExportedFile(t *testing.T) {
	t.Parallel()
	m := mirror.New(t, shippedEntries)
	n := newCatalogueNode(t, m, "")
	m.Publish("arch", content("arch"))
	n.does(3, "pull it first", "image", "export", "arch", filepath.Join(n.dir, "a.tar"))
	n.does(0, "signature of "+m.Key, "image", "pull", "arch")
	n.does(3, "not a regular file", "image", "export", "arch", n.dir)
	if _, err := os.Stat(filepath.Join(n.dir, "a.tar")); err == nil {
		t.Error("an archive of nothing")
	}
	if out := n.does(0, "", "image", "export", "arch", "-"); !strings.HasPrefix(out, "arch/arch.pin") {
		t.Errorf("the archive begins with %.60q", out)
	}
	n.does(0, "", "image", "export", "archlinux", filepath.Join(n.dir, "a.tar"))
	n.does(0, "has not changed since", "image", "import", filepath.Join(n.dir, "a.tar"))
	other := newCatalogueNode(t, m, "")
	other.does(0, "signature of "+m.Key, "image", "import", filepath.Join(n.dir, "a.tar"))
	other.does(0, "Vendor", "image", "verify", "arch")
}

// TestMirrorPassword uses the credentials of a mirror, and keeps and shows them nowhere.
func TestMirrorPassword(t *testing.T) {
	t.Parallel()
	m := mirror.New(t, shippedEntries)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, password, _ := r.BasicAuth(); password != "geheim" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		http.FileServer(http.Dir(m.Root)).ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	n := newCatalogueNode(t, m, "CATALOGUE_MIRROR="+strings.Replace(server.URL, "://", "://me:geheim@", 1)+"\nALLOW_URL="+server.URL+"\n")
	m.Publish("alma-10", content("alma"))
	m.Publish("debian-13", content("debian"))
	n.does(0, "it came by http, and so did its checksums", "image", "pull", "debian-13")
	said := n.does(0, "signed checksums", "image", "pull", "--json", "alma-10") + n.does(0, "pulled", "image", "show", "--json", "alma-10")
	for _, f := range n.held() {
		b, err := os.ReadFile(filepath.Join(n.dir, "catalogue", f))
		if err != nil {
			t.Fatal(err)
		}
		said += string(b)
	}
	if strings.Contains(said, "geheim") || !strings.Contains(said, "asked") {
		t.Errorf("kept or shown:\n%s", said)
	}
}

// TestPinnedElsewhere has a pin without its image: the vendor has a newer one under the name,
// and the pinned one at its dated address, where nothing lies beside it.
func TestPinnedElsewhere(t *testing.T) {
	t.Parallel()
	m := mirror.New(t, shippedEntries)
	n := newCatalogueNode(t, m, "")
	m.Publish("alma-10", content("old"))
	var pulled []struct{ URL, File string }
	if err := json.Unmarshal([]byte(n.does(0, "", "image", "pull", "--json", "alma-10")), &pulled); err != nil {
		t.Fatal(err)
	}
	p := pulled[0]
	if err := os.Remove(filepath.Join(n.dir, "catalogue", "alma-10", p.File)); err != nil {
		t.Fatal(err)
	}
	m.Publish("alma-10", content("new"))
	if err := os.WriteFile(m.At(p.URL, ""), content("old"), 0o644); err != nil {
		t.Fatal(err)
	}
	n.does(0, "signed checksums of "+m.Key, "image", "pull", "alma-10")
	n.does(0, p.URL, "image", "show", "alma-10")
	n.does(0, "alma-10", "image", "verify", "alma-10")
}
