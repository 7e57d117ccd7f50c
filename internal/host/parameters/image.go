package parameters

import (
	"os"

	"snf-image/internal/host/config"
	"snf-image/internal/host/imageref"
	"snf-image/internal/host/source"
	"snf-image/internal/spec"
)

// Store returns where the image of s is looked for: nil for an ordinary path, which
// wins over a name in IMAGE_DIR. A URL must not name a path.
func Store(s *spec.Spec, cfg *config.Config) *source.Store {
	ref, err := imageref.Parse(s.Image)
	_, missing := os.Lstat(ref.Name)
	if err == nil && ref.Kind == imageref.Bare && (missing == nil || ref.IsPath()) && !s.FromURL(spec.ImgID) {
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
	ref, err := imageref.Parse(s.Image)
	if err != nil || ref.Kind == imageref.URL || ref.Kind == imageref.None {
		return ""
	}
	st := Store(s, cfg)
	if st == nil {
		return ref.Name
	}
	where, err := st.Where(s.Image, string(s.Format))
	if err != nil {
		return "" // which the deployment says
	}
	return where
}
