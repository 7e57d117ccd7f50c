package parameters

import (
	"snf-image/internal/host/config"
	"snf-image/internal/host/ganeti"
	"snf-image/internal/host/imageref"
	"snf-image/internal/host/trust"
	"snf-image/internal/spec"
)

// Proof are the flags about what has to prove the image. They win over the configuration.
type Proof struct {
	Verify trust.Demand // empty where it is not given
	Digest *trust.Digest
	Keys   []string
}

// Claim returns what has to prove the image of s. tenant says that img_id came with an
// instance's parameters, and its #sha256= with it; by is how img_id is called.
func (p Proof) Claim(cfg *config.Config, s *spec.Spec, tenant bool, by string) trust.Claim {
	c := trust.Claim{Demand: cfg.VerifyImages, By: cfg.Where("VERIFY_IMAGES"), Keys: cfg.ImgKeys}
	if p.Verify != "" {
		c.Demand, c.By = p.Verify, "--verify"
	}
	if len(p.Keys) > 0 {
		c.Keys = p.Keys
	}
	given := cfg.ImgDigest
	given.By = cfg.Where("IMG_DIGEST")
	if p.Digest != nil {
		given = *p.Digest
		given.By = "--digest"
	}
	if given.Algorithm != "" {
		c.Digests = append(c.Digests, given)
	}
	if ref, err := imageref.Parse(s.Image); err == nil && ref.Digest.Name != "" {
		d := trust.Digest{Algorithm: ref.Digest.Name, Hex: ref.Digest.Hex, By: by}
		if tenant {
			d.Doubt = trust.ByTenant
		}
		c.Digests = append(c.Digests, d)
	}
	return c
}

// ClaimOfFlags is the Claim of the command line. Whoever writes that is the administrator;
// what config_url delivers is not.
func (p *Flags) ClaimOfFlags(cfg *config.Config, s *spec.Spec) trust.Claim {
	by := spec.ImgID
	if p.Image != "" {
		by = "--image"
	}
	return p.Proof.Claim(cfg, s, s.FromURL(spec.ImgID), by)
}

// ClaimOfCall is the Claim of Ganeti's call: an instance's owner chooses the OSP_ variables,
// and where they may the config_url.
func ClaimOfCall(c *ganeti.Call, cfg *config.Config, s *spec.Spec) trust.Claim {
	tenant := s.FromURL(spec.ImgID)
	for _, p := range c.Parameters {
		tenant = tenant || p.Name == spec.ImgID
	}
	return Proof{}.Claim(cfg, s, tenant, spec.ImgID)
}
