package parameters

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"snf-image/internal/host/builder"
	"snf-image/internal/host/config"
	"snf-image/internal/host/keyring"
	"snf-image/internal/host/trust"
	"snf-image/internal/spec"
)

const entry = `DESCRIPTION="A system"
ALIASES="other"
URL="https://example.org/a.qcow2"
FORMAT="qcow2"
SUMS="%.sha256"
PROPERTY_USERS="fromcatalogue"
PROPERTY_GROW="/c"
PROPERTY_SWAP="5:100"
END_OF_LIFE="2020-01-01"
`

const pin = `{"name": "a-1", "url": "https://example.org/a-20260101.qcow2", "file": "a.qcow2", "size": 3,
	"digest": "sha256:0000000000000000000000000000000000000000000000000000000000000000", "pulled": "2026-01-02T03:04:05Z"}`

func put(t *testing.T, file, text string) {
	t.Helper()
	if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, []byte(text), 0o644)); err != nil {
		t.Fatal(err)
	}
}

// TestCatalogueNames resolves what may be a path, a file in IMAGE_DIR, or an entry, and says
// where the image then comes from.
func TestCatalogueNames(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	put(t, "here", "x")
	put(t, "images/stored", "x")
	put(t, "images/stored.meta", "USERS=frommeta\nGROW=/m\n")
	put(t, "images/bad", "x")
	put(t, "images/bad.meta", "no line\n")
	for _, name := range []string{"here", "stored", "a-1", "free"} {
		put(t, "entries/"+name+".conf", strings.Replace(entry, "other", "other-"+name, 1))
	}
	put(t, "entries/broken.conf", "URLL=x\n")
	cfg := &config.Config{ImageDir: dir + "/images", Arch: "x86_64", CatalogueDirs: []string{dir + "/entries"}}
	for _, tc := range []struct {
		id, mirror, pin string
		bare            bool
		want, says      string
		chosen          bool
	}{
		{id: "here", bare: true, want: "here"},
		{id: "stored", bare: true, want: "stored"},
		{id: "free", bare: true, want: "https://example.org/a.qcow2", chosen: true},
		{id: "other-free", bare: true, want: "https://example.org/a.qcow2", chosen: true},
		{id: "free", want: "free"}, // Ganeti's bare name is a file in IMAGE_DIR
		{id: "nothing", bare: true, want: "nothing"},
		{id: "./free", bare: true, want: "./free"},
		{id: "catalogue:here", want: "https://example.org/a.qcow2", chosen: true},
		{id: "catalogue:here", mirror: "http://m.example/x", want: "http://m.example/x/example.org/a.qcow2", chosen: true},
		{id: "catalogue:free#sha256=" + strings.Repeat("ab", 32), want: "https://example.org/a.qcow2#sha256=" + strings.Repeat("ab", 32), chosen: true},
		{id: "catalogue:a-1", pin: "pin", want: "https://example.org/a-20260101.qcow2", chosen: true},
		{id: "catalogue:a-1", pin: "image", want: "local://catalogue/a-1/a.qcow2", chosen: true},
		{id: "catalogue:fre", want: "catalogue:fre", says: "did you mean free?"},
		{id: "catalogue:broken", want: "catalogue:broken", says: "broken.conf:1:1: URLL: unknown name"},
		{id: "bad", want: "bad", says: "bad.meta: it is neither"},
		{id: "null", bare: true, want: "null"},
	} {
		put(t, "images/catalogue/a-1/a-1.pin", pin)
		_ = os.Remove("images/catalogue/a-1/a.qcow2")
		if tc.pin == "image" {
			put(t, "images/catalogue/a-1/a.qcow2", "abc")
		}
		cfg.CatalogueMirror = tc.mirror
		params := new(builder.Parameters)
		params.Set(spec.ImgID, tc.id, "--image")
		r := &Reader{Config: cfg, Log: slog.New(slog.DiscardHandler)}
		r.resolve(params, tc.bare)
		got, _ := params.Lookup(spec.ImgID)
		_, problems := builder.Build(params, builder.Input{Mode: spec.ModeCheck, DefaultFormat: spec.Auto})
		if got.Reveal() != tc.want || (r.Chosen != nil) != tc.chosen {
			t.Errorf("%s: stands for %s (chosen: %v), want %s", tc.id, got.Reveal(), r.Chosen != nil, tc.want)
		}
		if err := problems.Err(); (err == nil) != (tc.says == "") || err != nil && !strings.Contains(err.Error(), tc.says) {
			t.Errorf("%s: %v, want %q", tc.id, err, tc.says)
		}
	}
}

// TestPrecedence has the properties of the catalogue, and of snf-mkimage's file, as the
// weakest, and the format only where nobody says another.
func TestPrecedence(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	put(t, dir+"/entries/a-1.conf", entry)
	put(t, dir+"/images/stored", "x")
	put(t, dir+"/images/stored.meta", "USERS=fromcatalogue\nGROW=/c\nSWAP=5:100\n")
	for _, id := range []string{"catalogue:a-1", "stored"} {
		params := new(builder.Parameters)
		params.Set(spec.ImgID, id, "OSP_IMG_ID")
		params.Set(spec.ImgProperties, `{"USERS": "image", "GROW": "/i"}`, "OSP_IMG_PROPERTIES")
		params.Set(spec.InstProperties, `{"USERS": "instance"}`, "OSP_INST_PROPERTIES")
		r := &Reader{Config: &config.Config{ImageDir: dir + "/images", CatalogueDirs: []string{dir + "/entries"}}, Log: slog.New(slog.DiscardHandler)}
		r.resolve(params, false)
		s, problems := builder.Build(params, builder.Input{Mode: spec.ModeCheck, DefaultFormat: spec.Auto})
		if s == nil {
			t.Fatal(problems)
		}
		for name, want := range map[string]string{"USERS": "instance", "GROW": "/i", "SWAP": "5:100"} {
			if s.Properties[name] != want {
				t.Errorf("%s: %s=%s, want %s", id, name, s.Properties[name], want)
			}
		}
		if want := map[string]spec.Format{"catalogue:a-1": spec.Qcow2, "stored": spec.Auto}[id]; s.Format != want {
			t.Errorf("%s: format %s, want %s", id, s.Format, want)
		}
		if id == "catalogue:a-1" && !strings.Contains(problems.Warnings()[0].Error(), "ended on 2020-01-01") {
			t.Errorf("warnings: %v", problems)
		}
	}
}

// TestChosenClaim demands the vendor's proof of what is not pinned, and the pin of what is.
func TestChosenClaim(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	put(t, dir+"/entries/a-1.conf", entry)
	cfg := &config.Config{ImageDir: dir + "/images", CatalogueDirs: []string{dir + "/entries"}}
	claim := func() trust.Claim {
		params := new(builder.Parameters)
		params.Set(spec.ImgID, "catalogue:a-1", "OSP_IMG_ID")
		r := &Reader{Config: cfg, Log: slog.New(slog.DiscardHandler)}
		r.resolve(params, false)
		c, _ := r.Chosen.Claim(trust.Claim{Demand: trust.Required, By: "us"}, keyring.New(), "")
		return c
	}
	if c := claim(); c.Sums != "%.sha256" || len(c.Digests) > 0 || c.Demand != trust.Required {
		t.Errorf("not pinned: %+v", c)
	}
	for proof, doubt := range map[string]string{"": "nothing proved it", "checksums": "nobody signed", "digest": ""} {
		put(t, dir+"/images/catalogue/a-1/a-1.pin", strings.Replace(pin, `"size"`, `"proof": "`+proof+`", "size"`, 1))
		c := claim()
		if c.Sums != "" || len(c.Digests) != 1 || !strings.HasPrefix(c.Digests[0].By, "the pin ") {
			t.Fatalf("pinned: %+v", c)
		}
		if got := c.Digests[0].Doubt; (got == "") != (doubt == "") || !strings.Contains(got, doubt) || (c.Hopeless() == nil) != (doubt == "") {
			t.Errorf("pinned by %q: doubt %q, want %q; %v", proof, got, doubt, c.Hopeless())
		}
	}
}
