package builder

import (
	"strings"

	"snf-image/internal/host/problem"
	"snf-image/internal/spec"
)

// checkPasswordLogin takes "keep" and the words for yes.
func (b *builder) checkPasswordLogin() {
	const name = spec.PropSSHPasswordLogin
	text := b.spec.Properties[name]
	if yes, known := spec.ParseBool(text); text == "" || strings.EqualFold(text, "keep") || known && yes {
		return
	}
	b.reportProperty(problem.Error, ErrPasswordLogin, name, "expected keep or yes, found "+problem.Quote(text), "")
}
