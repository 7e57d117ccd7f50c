package config

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"snf-image/internal/host/problem"
	"snf-image/internal/host/shellfile"
	"snf-image/internal/host/target"

	"github.com/google/go-cmp/cmp"
)

// variants makes a configuration file with VARIANTS_DIR, and in that directory
// the files of texts; list publishes their names and "unmade".
func variants(t *testing.T, texts map[string]string) (conf File, list string) {
	t.Helper()
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	published := "unmade\n"
	for name, text := range texts {
		write(name+".conf", text)
		published += name + "\n"
	}
	return File{Path: write("main", "VARIANTS_DIR="+dir+"\nIMG_FORMAT=raw\nWIPE=none\nIMG_ID=x\n"), Required: true}, write("list", published)
}

func TestLoadVariant(t *testing.T) {
	t.Parallel()
	conf, list := variants(t, map[string]string{"default": "", "other": "IMG_FORMAT=diskdump\nWIPE=zero\n"})
	for _, tc := range []struct {
		variant, format string
		wipe            target.Wipe
	}{{"", "raw", target.WipeNone}, {"default", "raw", target.WipeNone}, {"other", "diskdump", target.WipeZero}} {
		c, problems := LoadVariant(tc.variant, list, conf)
		if len(problems) > 0 {
			t.Fatalf("LoadVariant(%q): %v", tc.variant, problems)
		}
		got := map[string]string{}
		for _, p := range c.Parameters {
			got[p.Name] = p.Value
		}
		if diff := cmp.Diff(map[string]string{"img_format": tc.format, "img_id": "x"}, got); diff != "" || c.Wipe != tc.wipe {
			t.Errorf("LoadVariant(%q): WIPE %s, parameters (-want +got):\n%s", tc.variant, c.Wipe, diff)
		}
	}
}

func TestLoadVariantRefuses(t *testing.T) {
	t.Parallel()
	conf, list := variants(t, map[string]string{"default": "", "broken": "rm -rf /\n"})
	for _, tc := range []struct {
		variant string
		rule    error
		want    string
	}{
		{"unmade", ErrVariant, "make the file"},
		{"mistaken", ErrVariant, "use one of the variants unmade"},
		{"broken", shellfile.ErrSyntax, "broken.conf:1:1"},
		{"../main", ErrVariant, "cannot be the name"},
		{".", ErrVariant, "cannot be the name"},
		{"a b", ErrVariant, "cannot be the name"},
	} {
		c, problems := LoadVariant(tc.variant, list, conf)
		if c != nil || !errors.Is(problems, tc.rule) || !strings.Contains(problems.Error(), tc.want) {
			t.Errorf("LoadVariant(%q) = %v, want %q", tc.variant, problems, tc.want)
		}
	}
	_, problems := LoadVariant("gone", filepath.Join(t.TempDir(), "no-list"), conf)
	if len(problems) != 1 || problems[0].Severity != problem.Error || problems[0].Origin != VariantOrigin {
		t.Errorf("LoadVariant without a list: %v", problems)
	}
}

// TestShippedVariant reads what is installed for the variant "default".
func TestShippedVariant(t *testing.T) {
	t.Parallel()
	const shipped = "../../../etc/ganeti/snf-image/"
	text, err := os.ReadFile(shipped + "variants/default.conf") // a checkout may be anybody's
	if err != nil {
		t.Fatal(err)
	}
	c, problems := Parse("default.conf", text)
	if diff := cmp.Diff(defaults(), c, noOrigins); diff != "" || len(problems) > 0 {
		t.Errorf("the shipped variant changes the defaults: %v (-want +got):\n%s", problems, diff)
	}
	if got := publishedVariants(shipped + "variants.list"); !cmp.Equal(got, []string{"default"}) {
		t.Errorf("variants.list publishes %q", got)
	}
}
