package fetch

import (
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"snf-image/internal/host/ownership"
)

func pemOf(der []byte) []byte { return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}) }

func TestCheck(t *testing.T) {
	t.Parallel()
	c := client(t, "http://127.0.0.1:8080/ok/*", "http://[::1]", "file:///srv/answers/*.json", "http://*.localhost/x")
	for _, tc := range []struct{ url, want string }{
		{"http://example.org/image", ""},
		{"HTTPS://example.org/image", ""},
		{"ftp://user:pass@10.0.0.1/a", ""},
		{"http://127.0.0.1:8080/ok/x?q=1", ""},
		{"http://user@127.0.0.1:8080/ok/y/", ""},
		{"http://[::1]:99/anything", ""},
		{"http://a.localhost/x", ""},
		{"file:///srv/answers/a.json", ""},
		{"http://127.0.0.1:8080/ok/../x", "loopback"},
		{"http://127.0.0.1:8081/ok/x", "loopback"},
		{"https://127.0.0.1:8080/ok/x", "loopback"},
		{"http://localhost/x", "loopback"},
		{"http://127.9.9.9/", "loopback"},
		{"http://0.1.2.3/", "loopback"},
		{"http://[::]/", "loopback"},
		{"http://[fe80::1]/", "link-local"},
		{"http://224.0.0.1/", "link-local"},
		{"http://127.1/", "not an IPv4 address"},
		{"http://2130706433/", "not an IPv4 address"},
		{"http://0x7f000001/", "not an IPv4 address"},
		{"http://0177.0.0.1/", "not an IPv4 address"},
		{"http://0/", "not an IPv4 address"},
		{"http://[::127.0.0.1]/", "loopback"},
		{"http://[64:ff9b::7f00:1]/", "loopback"},
		{"http://[64:ff9b::c633:6401]/", ""},
		{"http://ip6-localhost/", "loopback"},
		{"http://localhost.localdomain/", "loopback"},
		{"http://images.127/", "not an IPv4 address"},
		{"http://host1/", ""},
		{"http://1.host/", ""},
		{"file:///srv/answers/../../etc/shadow", "only http"},
		{"file:///etc/passwd", "only http"},
		{"gopher://example.org/", "only http"},
		{"debian", "not a URL"},
		{"http:example.org", "not a URL"},
		{"http://", "names no host"},
		{"http://ex ample/", "white space"},
		{"ftp://h/a%0d%0aDELE%20x", "control characters"},
		{"ftp://a%0ab@h/a", "control characters"},
		{"http://[", "not a URL"},
	} {
		err := c.Check(tc.url)
		if tc.want == "" && err != nil || tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)) {
			t.Errorf("Check(%q) = %v, want %q", tc.url, err, tc.want)
		}
	}
}

// TestResolved catches a name that resolves to this node, which its text does not
// show.
func TestResolved(t *testing.T) {
	t.Parallel()
	for _, address := range []string{"127.0.0.1:80", "[::ffff:127.0.0.1]:80", "[fe80::1%eth0]:80", "0.0.0.0:80"} {
		if err := checkAddress("tcp", address, nil); !errors.Is(err, errReach) {
			t.Errorf("checkAddress(%s) = %v", address, err)
		}
	}
	if err := checkAddress("tcp", "10.0.0.1:80", nil); err != nil {
		t.Errorf("a private address: %v", err)
	}
	u, err := parse("http://images.example/")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client(t).dialer(u).DialContext(t.Context(), "tcp", "localhost:9"); !errors.Is(err, errReach) {
		t.Errorf("a name that resolves to loopback: %v", err)
	}
}

func TestMask(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"http://h/a/b":               "http://h/a/b",
		"http://u:p@h:80/a?x=y#z":    "http://***@h:80/a?***",
		"http://h?token=x":           "http://h?***",
		"ftp://u:p/w@h/a":            "ftp://***",
		"http://u:p?w@h/a":           "http://***",
		"http://u:p@q@h/":            "http://***@h/",
		"debian":                     "debian",
		"rbd:pool/image":             "rbd:pool/image",
		"local://x":                  "local://x",
		"http://h/a#token=x":         "http://h/a",
		"nbd+unix:///x?socket=/run/": "nbd+unix:///x?***",
	} {
		if got := Mask(in); got != want {
			t.Errorf("Mask(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestOptions(t *testing.T) {
	t.Parallel()
	empty := filepath.Join(t.TempDir(), "empty.pem")
	if err := os.WriteFile(empty, []byte("no certificate"), 0o600); err != nil {
		t.Fatal(err)
	}
	others := filepath.Join(t.TempDir(), "others.pem")
	if err := errors.Join(os.WriteFile(others, nil, 0o600), os.Chmod(others, 0o666)); err != nil {
		t.Fatal(err)
	}
	for _, o := range []Options{{Allow: []string{"127.0.0.1"}}, {HTTPProxy: "::bad"}, {HTTPSProxy: "gopher://x"}} {
		if _, err := New(o); err == nil {
			t.Errorf("New(%+v) succeeded", o)
		}
	}
	plain := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "plain") }))
	t.Cleanup(plain.Close)
	for _, file := range []string{others, empty, empty + ".gone"} {
		c, err := New(Options{CAFile: file, Allow: []string{plain.URL, "https://127.0.0.1", "ftps://127.0.0.1"}})
		if err != nil {
			t.Fatalf("New with an unusable TLS_CA_FILE = %v, which nothing has asked for", err)
		}
		if got, _, err := all(t, c, plain.URL); err != nil || got != "plain" {
			t.Errorf("http beside an unusable TLS_CA_FILE: %q, %v", got, err)
		}
		for _, scheme := range []string{"https", "ftps"} {
			_, err := c.Open(t.Context(), scheme+"://127.0.0.1:1/image")
			if err == nil || !strings.Contains(err.Error(), "TLS_CA_FILE: ") {
				t.Errorf("%s with the authorities of %s: %v", scheme, file, err)
			}
			if file == others && os.Geteuid() == 0 && !errors.Is(err, ownership.ErrOthers) {
				t.Errorf("%s with authorities that others may add: %v", scheme, err)
			}
		}
	}
}

func TestFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "answer")
	if err := os.WriteFile(path, []byte("text"), 0o600); err != nil {
		t.Fatal(err)
	}
	other := t.TempDir()
	if err := errors.Join(os.WriteFile(other+"/secret", []byte("secret"), 0o600), os.Symlink("answer", dir+"/inside"), os.Symlink(dir, other+"/top"),
		os.Symlink(other+"/secret", dir+"/out"), os.Symlink(other, dir+"/outdir"), os.Symlink("../"+filepath.Base(other)+"/secret", dir+"/up")); err != nil {
		t.Fatal(err)
	}
	c := client(t, "file://"+dir+"/*", "file:///dev/*", "file://"+other+"/top/*")
	for _, name := range []string{dir + "/inside", other + "/top/answer"} { // a link of the administrator's leads to the directory
		if got, _, err := all(t, c, "file://"+name); err != nil || got != "text" {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	for _, name := range []string{"out", "outdir/secret", "up"} {
		if got, _, err := all(t, c, "file://"+dir+"/"+name); !errors.Is(err, ErrForbidden) {
			t.Errorf("a link that leads out, %s: %q, %v", name, got, err)
		}
	}
	if got, length, err := all(t, c, "file://"+path); err != nil || got != "text" || length != 4 {
		t.Errorf("%q of %d, %v", got, length, err)
	}
	for _, address := range []string{"file:///dev/zero", "file://" + dir + "/gone", "file:///etc/hostname"} {
		if got, _, err := all(t, c, address); err == nil {
			t.Errorf("%s: %q", address, got)
		}
	}
}
