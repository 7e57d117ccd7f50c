package collection

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"snf-image/internal/host/catalogue"
	"snf-image/internal/host/keyring"
	"snf-image/internal/spec"
)

const top = "../../../"

func shipped(t *testing.T) *catalogue.Catalogue {
	t.Helper()
	c, err := catalogue.Load("x86_64", top+"share/catalogue.d")
	if err != nil || len(c.All()) < 20 {
		t.Fatalf("Load = %v, %v", c, err)
	}
	return c
}

// TestShippedEntries can be used, have the properties that machines of them need, and a
// variant of Ganeti each.
func TestShippedEntries(t *testing.T) {
	t.Parallel()
	c := shipped(t)
	docs, err := os.ReadFile(top + "docs/images.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range c.All() {
		if row := "| `" + e.Name + "` | `" + e.Image() + "` | "; e.Digest.Algorithm != "" && !strings.Contains(string(docs), row) {
			t.Errorf("%s has a digest, and docs/images.md does not say from where: %s…", e.Name, row)
		}
		if err := e.Problems.Err(); err != nil {
			t.Errorf("%s: %v", e.Name, err)
		}
		if !strings.HasPrefix(e.URL, "https://") || e.Description == "" || e.Properties[spec.PropUsers] == "" || e.Properties[spec.PropCreateUsers] != "yes" {
			t.Errorf("%s: %+v", e.Name, e)
		}
		if e.Sums == "" && e.Digest.Algorithm == "" {
			t.Errorf("%s has no proof", e.Name)
		}
		variant, err := os.ReadFile(top + "etc/ganeti/snf-image/variants/" + e.Name + ".conf")
		if err != nil || !strings.HasSuffix(string(variant), "\nIMG_ID=\"catalogue:"+e.Name+"\"\n") {
			t.Errorf("variant of %s: %q, %v", e.Name, variant, err)
		}
	}
	variants, err := filepath.Glob(top + "etc/ganeti/snf-image/variants/*.conf")
	if err != nil || len(variants) != len(c.All())+1 {
		t.Errorf("%d variants of %d entries and the default, %v", len(variants), len(c.All()), err)
	}
}

// TestShippedKeys holds the files of keys against the entries and the table in
// docs/images.md: each has one key, that one, and each is for an entry.
func TestShippedKeys(t *testing.T) {
	t.Parallel()
	bound := map[string]bool{} // with whether it is shipped
	for _, e := range shipped(t).All() {
		for _, k := range e.Keys {
			bound[k] = e.KeyURL == ""
		}
	}
	text, err := os.ReadFile(top + "docs/images.md")
	if err != nil {
		t.Fatal(err)
	}
	table := map[string]string{}
	for _, row := range regexp.MustCompile("(?m)^\\| `([^`]*\\.asc)` \\| ([0-9A-F]{40}) \\| [^|]+ \\| [^|]+ \\| [^|]+ \\|$").FindAllStringSubmatch(string(text), -1) {
		table[row[1]] = row[2]
	}
	files, err := filepath.Glob(top + "share/keys/*")
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]string{}
	for _, f := range files {
		keys, err := keyring.LoadFile(f)
		if err != nil || len(keys) != 1 {
			t.Errorf("%s: %d keys, %v", f, len(keys), err)
			continue
		}
		k := keys[0]
		found[filepath.Base(f)] = k.Fingerprint
		if k.Revoked || !bound[k.Fingerprint] {
			t.Errorf("%s: %s is revoked, or no entry is bound to it", f, k.Fingerprint)
		}
	}
	if diff := cmp.Diff(table, found); diff != "" {
		t.Errorf("shipped keys (-docs/images.md +share/keys):\n%s", diff)
	}
	for k, ships := range bound {
		has := slices.Contains(slices.Collect(maps.Values(found)), k)
		if has != ships {
			t.Errorf("key %s: shipped %v, an entry says where else it is: %v", k, has, !ships)
		}
	}
}
