package deploy

import (
	"context"
	"slices"

	"snf-image/internal/host/credentials"
	"snf-image/internal/report"
	"snf-image/internal/spec"
)

// hostKeys makes SSH host keys of all types while the image is copied, because
// which ones it uses is not yet known.
func (r *run) hostKeys(ctx context.Context) ([]spec.HostKey, error) {
	if !slices.Contains(r.plan.Tasks, spec.DeleteSSHKeys) || r.plan.Exclude[spec.DeleteSSHKeys] != "" {
		return nil, nil
	}
	comment := "root"
	if r.Spec.Name != "" {
		comment += "@" + r.Spec.Name
	}
	return credentials.NewHostKeys(ctx, comment, credentials.HostKeyTypes())
}

// credentials makes the secrets for the system that was found.
func (r *run) credentials(in *report.Inspection, made []spec.HostKey) (*spec.Credentials, error) {
	keys := slices.DeleteFunc(slices.Clone(made), func(k spec.HostKey) bool {
		return !slices.Contains(in.HostKeyTypes, k.Type)
	})
	if windows(in.OSFamily) {
		return r.windowsCredentials()
	}
	hashes, err := r.hashes(in.OSFamily)
	if err != nil {
		return nil, err
	}
	c := r.Spec.Credentials(hashes, keys)
	r.redactor.AddCredentials(c)
	return &c, r.record.installedKeys(keys, r.Spec)
}

// hashes returns the crypt(3) hash for each user, nil when no password is to be set.
func (r *run) hashes(family string) (map[string]spec.Secret, error) {
	if r.Spec.Password == nil && r.Spec.PasswordHash == nil {
		return nil, nil
	}
	hashes := map[string]spec.Secret{}
	for _, user := range r.plan.Users {
		if r.Spec.PasswordHash != nil {
			hashes[user] = *r.Spec.PasswordHash
			continue
		}
		h, err := credentials.Hash(r.Spec.HashMethod(family), *r.Spec.Password)
		if err != nil {
			return nil, &report.Failure{
				Kind: report.Usage, What: "hashing the password", On: "img_passwd", Cause: err,
				Remedy: "choose another PASSWD_HASHING_METHOD or password",
			}
		}
		hashes[user] = h
	}
	return hashes, nil
}
