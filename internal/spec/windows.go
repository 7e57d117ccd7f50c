package spec

import (
	"net/url"
	"regexp"
)

// buildWindows sets what only Windows uses.
func (b *builder) buildWindows() {
	if key, ok := b.text(OSProductKey); ok {
		if !productKey.MatchString(key) {
			b.report(Error, ErrProductKey, OSProductKey, "not a product key", "write it as XXXXX-XXXXX-XXXXX-XXXXX-XXXXX")
		}
		b.report(Warning, ErrIgnored, OSProductKey, "without effect: Windows is not in this version", "")
		s := Secret(key)
		b.spec.ProductKey = &s
	}
	answer, ok := b.text(OSAnswerFile)
	if !ok {
		return
	}
	if u, err := url.Parse(answer); answer == "" || err != nil || u.Path == "" && u.Host == "" {
		b.report(Error, ErrAnswerFile, OSAnswerFile, "not a URL or path", "")
	} else if b.Fetched(OSAnswerFile) && !urlScheme.MatchString(answer) {
		b.report(Error, ErrOrigin, OSAnswerFile, "a path of this node, which parameters from a URL must not name",
			"name a URL there, or the path with --answer-file")
	}
	b.report(Warning, ErrIgnored, OSAnswerFile, "without effect: Windows is not in this version", "")
	b.spec.AnswerFile = answer
}

var productKey = regexp.MustCompile(`^[A-Za-z0-9]{5}(-[A-Za-z0-9]{5}){4}$`)

// buildCloud sets the user-data of cloud-init.
func (b *builder) buildCloud() {
	data, ok := b.text(CloudUserdata)
	if !ok {
		return
	}
	if !b.spec.boolean(PropCloudInit) {
		b.report(Warning, ErrIgnored, CloudUserdata, "ignored: the property CLOUD_INIT is not set", "")
		return
	}
	s := Secret(data)
	b.spec.UserData = &s
}
