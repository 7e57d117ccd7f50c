package builder

import (
	"net/url"
	"regexp"

	"snf-image/internal/host/problem"
	"snf-image/internal/spec"
)

// buildWindows sets what only Windows uses.
func (b *builder) buildWindows() {
	if key, ok := b.text(spec.OSProductKey); ok {
		if !productKey.MatchString(key) {
			b.report(problem.Error, ErrProductKey, spec.OSProductKey, "not a product key", "write it as XXXXX-XXXXX-XXXXX-XXXXX-XXXXX")
		}
		s := spec.Secret(key)
		b.spec.ProductKey = &s
	}
	answer, ok := b.text(spec.OSAnswerFile)
	if !ok {
		return
	}
	if u, err := url.Parse(answer); answer == "" || err != nil || u.Path == "" && u.Host == "" {
		b.report(problem.Error, ErrAnswerFile, spec.OSAnswerFile, "not a URL or path", "")
	} else if b.Fetched(spec.OSAnswerFile) && !urlScheme.MatchString(answer) {
		b.report(problem.Error, ErrOrigin, spec.OSAnswerFile, "a path of this node, which parameters from a URL must not name",
			"name a URL there, or the path with --answer-file")
	}
	b.spec.AnswerFile = answer
}

var productKey = regexp.MustCompile(`^[A-Za-z0-9]{5}(-[A-Za-z0-9]{5}){4}$`)

var urlScheme = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9+.-]*://`)
