package builder

import (
	"strings"

	"snf-image/internal/host/problem"
	"snf-image/internal/spec"
)

// checkCloudInit takes "leave" and, as a boolean, no. Any other word means yes.
func (b *builder) checkCloudInit() {
	const name = spec.PropCloudInit
	text := b.spec.Properties[name]
	yes, known := spec.ParseBool(text)
	if b.spec.LeavesCloudInit() {
		return
	}
	if !known {
		b.reportProperty(problem.Warning, ErrBoolean, name, problem.Quote(text)+" is not a boolean word, yes is assumed", "write yes, no or "+spec.LeaveCloudInit)
	}
	if yes {
		b.reportProperty(problem.Error, problem.ErrNotInThisVersion, name, "property "+name+": not in this version", "")
	}
}

// checkPasswordLogin takes "keep" and the words for yes.
func (b *builder) checkPasswordLogin() {
	const name = spec.PropSSHPasswordLogin
	text := b.spec.Properties[name]
	if yes, known := spec.ParseBool(text); text == "" || strings.EqualFold(text, "keep") || known && yes {
		return
	}
	b.reportProperty(problem.Error, ErrPasswordLogin, name, "expected keep or yes, found "+problem.Quote(text), "")
}
