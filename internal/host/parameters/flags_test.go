package parameters

import (
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"snf-image/internal/host/config"
	"snf-image/internal/spec"
)

// TestConfiguredParameters come to new machines; of a living one they only tell
// where things are.
func TestConfiguredParameters(t *testing.T) {
	t.Parallel()
	cfg, problems := config.Parse("conf", []byte(`IMG_PASSWD="secret"`+"\n"+`IMG_PROPERTIES='{"SWAP":"2:64"}'`+"\n"+`CONFIG_URL="http://192.0.2.1/"`))
	if cfg == nil {
		t.Fatal(problems)
	}
	for _, name := range []string{spec.ImgPasswd, spec.ConfigURL} {
		if _, ok := configured(cfg, false).Lookup(name); !ok {
			t.Errorf("%s does not reach a new machine", name)
		}
		if _, ok := configured(cfg, true).Lookup(name); ok {
			t.Errorf("%s of the configuration reaches an installed machine", name)
		}
	}
	if _, ok := configured(cfg, true).Lookup(spec.ImgProperties); !ok {
		t.Error("the properties of the configuration do not describe an installed machine")
	}
}

// TestKeysAreOneList reads several files of keys, the first of which has no line end.
func TestKeysAreOneList(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	one, two := filepath.Join(dir, "one"), filepath.Join(dir, "two")
	for path, text := range map[string]string{one: "ssh-ed25519 first", two: "ssh-ed25519 second\n"} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	params, err := new(Reader).given(t.Context(), &Flags{KeysFiles: []string{one, two}})
	if err != nil {
		t.Fatal(err)
	}
	keys, _ := params.Lookup(spec.AuthKeys)
	if got := strings.Join(strings.Fields(keys.Reveal()), " "); got != "ssh-ed25519 first ssh-ed25519 second" {
		t.Errorf("keys %q, want both", got)
	}
}

// TestWarnings are kept for the report and the end of the log.
func TestWarnings(t *testing.T) {
	t.Parallel()
	data := filepath.Join(t.TempDir(), "user-data")
	if err := os.WriteFile(data, []byte("#cloud-config"), 0o600); err != nil {
		t.Fatal(err)
	}
	r := Reader{Config: &config.Config{}, Log: slog.New(slog.DiscardHandler)}
	if _, err := r.OfFlags(t.Context(), spec.ModeCustomize, &Flags{Disks: []string{data}, UserDataFile: data, All: true}); err != nil {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(r.Warnings, func(w string) bool { return strings.Contains(w, "CLOUD_INIT is not set to yes") }) {
		t.Errorf("warnings %q, not that the user-data has no effect", r.Warnings)
	}
}

// TestAPipeIsReadOnce: whether it can be read is found out without reading it.
func TestAPipeIsReadOnce(t *testing.T) {
	t.Parallel()
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, problems := (&Flags{PasswordFile: pipe, HashFile: "-"}).readable(); len(problems) > 0 {
		t.Errorf("readable = %v", problems)
	}
}
