package source

import (
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"snf-image/internal/host/fetch"
	"snf-image/internal/host/trust"
)

// TestBesideURL asks a server for what lies beside an image: with the credentials of the
// image's URL, without its query, and a file that is not there is not an error like one that
// cannot be had.
func TestBesideURL(t *testing.T) {
	t.Parallel()
	var asked []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, _, _ := r.BasicAuth()
		asked = append(asked, user+" "+r.URL.String())
		switch name := r.URL.Path[strings.LastIndex(r.URL.Path, "/")+1:]; name {
		case "SHA256SUMS", "a b#?.sig":
			fmt.Fprint(w, name)
		case "private":
			w.WriteHeader(http.StatusForbidden)
		case "broken":
			w.WriteHeader(http.StatusServiceUnavailable)
		case "large":
			_, _ = w.Write(make([]byte, trust.MaxProof+100))
		default:
			http.NotFound(w, r)
		}
	}))
	t.Cleanup(server.Close)
	client, err := fetch.New(fetch.Options{Allow: []string{server.URL}, Pause: time.Millisecond, Idle: 5 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	image := strings.Replace(server.URL, "http://", "http://user:pw@", 1) + "/x/latest.qcow2"
	place := func(image string) trust.Place {
		t.Helper()
		p, err := BesideURL(client, image, server.URL+"/y/build-7.qcow2")
		if err != nil || !p.Remote || !slices.Equal(p.Names, []string{"latest.qcow2", "build-7.qcow2"}) {
			t.Fatalf("BesideURL(%s) = %+v, %v", image, p, err)
		}
		return p
	}
	for _, tc := range []struct {
		image, name, want, asked string
		missing                  bool
	}{
		{image, "SHA256SUMS", "SHA256SUMS", "user /x/SHA256SUMS", false},
		{image, "a b#?.sig", "a b#?.sig", "user /x/a%20b%23%3F.sig", false},
		{image, server.URL + "/z/SHA256SUMS", "SHA256SUMS", " /z/SHA256SUMS", false},
		{image, "none", "", "user /x/none", true},
		{image, "private", "", "user /x/private", true},
		{image, "broken", "", "", false},
		{image + "?token=1", "SHA256SUMS", "", "", true},
		// ALLOW_URL does not name what lies beside: that is as if it were not there.
		{"http://127.0.0.1:1/x/latest.qcow2", "SHA256SUMS", "", "", true},
		{image, "http://127.0.0.1:1/x/SHA256SUMS", "", "", false},
		{image + "?token=1", server.URL + "/SHA256SUMS", "SHA256SUMS", " /SHA256SUMS", false},
	} {
		asked = nil
		data, err := place(tc.image).Read(t.Context(), tc.name)
		if string(data) != tc.want || (err == nil) != (tc.want != "") || errors.Is(err, fs.ErrNotExist) != tc.missing {
			t.Errorf("%s: %q, %v", tc.name, data, err)
		}
		if got := strings.Join(asked, ","); tc.name != "broken" && got != tc.asked {
			t.Errorf("%s: asked for %q, want %q", tc.name, got, tc.asked)
		}
	}
	if data, err := place(image).Read(t.Context(), "large"); err != nil || len(data) != trust.MaxProof+1 {
		t.Errorf("of a large file %d bytes, %v", len(data), err)
	}
}
