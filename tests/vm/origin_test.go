package vm

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"

	"snf-image/tests/harness"
	"snf-image/tests/images"
	"snf-image/tests/oracle"
)

// TestConfigURLReachesNoPath deploys what a server names as the image. No helper is
// needed: the copy itself is what must not happen.
func TestConfigURLReachesNoPath(t *testing.T) {
	j := newJob(t, images.Primary("ext4", images.Debian()))
	var parameters atomic.Value
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, `{"img_id": "%s", "img_properties": {"EXCLUDE_ALL_TASKS": "yes"}}`, parameters.Load())
	}))
	t.Cleanup(server.Close)
	store := filepath.Join(j.dir, "store")
	if err := os.Mkdir(store, 0o755); err != nil {
		t.Fatal(err)
	}
	secret := j.file("secret", string(bytes.Repeat([]byte("secret!\n"), 1<<17)))
	device := loop(t, secret)
	conf := j.file("url.conf", fmt.Sprintf("IMAGE_DIR=%s\nALLOW_URL=%s\n", store, server.URL))
	deploy := func(id string, more ...string) harness.Outcome {
		parameters.Store(id)
		return site.Run(t, append([]string{"deploy", "--config", conf, "--config-url", server.URL, "--disk", j.disk, "--size", "256M"}, more...)...)
	}
	for _, id := range []string{secret, device, "file://" + secret, "../" + filepath.Base(secret)} {
		deploy(id).Fails(t, 2, "on img_id|img_id: a path of this node")
		if _, err := os.Stat(j.disk); err == nil {
			t.Fatalf("img_id %s of a server made a disk", id)
		}
	}
	if err := os.Link(j.image, filepath.Join(store, "plain")); err != nil {
		t.Fatal(err)
	}
	deploy("plain").OK(t)
	size := oracle.Size(t, j.image)
	if oracle.Digest(t, j.disk, 0, size) != oracle.Digest(t, j.image, 0, size) {
		t.Error("an image in IMAGE_DIR that a server names is not what was deployed")
	}
	// The command line may name a path, also beside a server.
	deploy(secret, "--image", j.image).OK(t)
}
