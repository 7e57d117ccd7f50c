package parameters

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"snf-image/internal/host/config"
	"snf-image/internal/spec"
)

func TestImageByPathAndByName(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := errors.Join(os.Mkdir("store", 0o755), os.WriteFile("here", nil, 0o600), os.WriteFile("store/here", make([]byte, 512), 0o600),
		os.WriteFile("store/debian.diskdump", make([]byte, 512), 0o600)); err != nil {
		t.Fatal(err)
	}
	here, err := filepath.EvalSymlinks(".")
	if err == nil {
		here, err = filepath.Abs(here)
	}
	if err != nil {
		t.Fatal(err)
	}
	cfg := &config.Config{ImageDir: "store"}
	for image, want := range map[string]string{
		"here": "", "./gone": "", "/gone": "", "../gone": "",
		"local://here": "store/here", "debian": "store/debian.diskdump", "debian.diskdump": "store/debian.diskdump",
	} {
		var got string
		if s := Store(&spec.Spec{Image: image}, cfg); s != nil {
			img, _, err := s.Open(image, "diskdump")
			if err != nil {
				t.Errorf("Open(%q) = %v", image, err)
				continue
			}
			got = strings.TrimPrefix(img.Name, here+"/")
			_ = img.Close()
		}
		if got != want {
			t.Errorf("--image %s is %q in IMAGE_DIR, want %q", image, got, want)
		}
	}
}
