package parameters

import (
	"os"
	"strings"

	"snf-image/internal/host/config"
	"snf-image/internal/host/fetch"
	"snf-image/internal/host/source"
	"snf-image/internal/spec"
)

// Store returns where the image of s is looked for: nil for an ordinary path, which
// wins over a name in IMAGE_DIR. A URL must not name a path.
func Store(s *spec.Spec, cfg *config.Config) *source.Store {
	image := s.Image
	_, err := os.Lstat(image)
	isPath := err == nil || strings.HasPrefix(image, "/") || strings.HasPrefix(image, "./") || strings.HasPrefix(image, "../")
	if isPath && !strings.Contains(image, "://") && !s.FromURL(spec.ImgID) {
		return nil
	}
	return Images(cfg)
}

// Images returns IMAGE_DIR, which HELPER_DIR may be a part of.
func Images(cfg *config.Config) *source.Store {
	return &source.Store{Dir: cfg.ImageDir, Arch: cfg.Arch, Never: []string{cfg.HelperDir}}
}

// ImageFile returns the path of the image of s, "" when it is not a file.
func ImageFile(s *spec.Spec, cfg *config.Config) string {
	st := Store(s, cfg)
	if st == nil || s.Image == "" || fetch.IsURL(s.Image) {
		return s.Image
	}
	where, err := st.Where(s.Image, string(s.Format))
	if err != nil {
		return "" // which the deployment says
	}
	return where
}
