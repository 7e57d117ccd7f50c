package builder

import (
	"bytes"
	"fmt"
	"slices"

	"snf-image/internal/host/problem"
	"snf-image/internal/spec"
)

// checkCloudInit takes "leave" and the boolean words. Any other word means yes.
func (b *builder) checkCloudInit() {
	const name = spec.PropCloudInit
	text := b.spec.Properties[name]
	if b.spec.LeavesCloudInit() {
		return
	}
	yes, known := spec.ParseBool(text)
	if !known {
		b.reportProperty(problem.Warning, ErrBoolean, name, problem.Quote(text)+" is not a boolean word, yes is assumed", "write yes, no or "+spec.LeaveCloudInit)
	}
	if family, _ := b.spec.Family(); yes && family != "" && family != spec.OSFamilies()[0] {
		b.reportProperty(problem.Error, ErrConflict, name, "the cloud-init mode is for Linux, not for "+family, "leave out the property "+name)
	}
}

// maxUserData bounds the user-data, in bytes.
const maxUserData = 1 << 20

// buildCloud sets the user-data of cloud-init.
func (b *builder) buildCloud() {
	text, ok := b.text(spec.CloudUserdata)
	if !ok {
		return
	}
	if !b.spec.UsesCloudInit() {
		b.report(problem.Warning, ErrIgnored, spec.CloudUserdata, "ignored: the property CLOUD_INIT is not set to yes", "")
		return
	}
	data, err := decodeBase64(text)
	switch {
	case err != nil:
		b.report(problem.Error, ErrUserData, spec.CloudUserdata, "not base64", "encode the user-data with base64")
		return
	case len(data) == 0:
		b.report(problem.Warning, ErrUserData, spec.CloudUserdata, "the user-data is empty, ignored", "")
		return
	case len(data) > maxUserData:
		b.report(problem.Error, problem.ErrTooLarge, spec.CloudUserdata, fmt.Sprintf("the user-data has %d bytes, more than %d KiB", len(data), maxUserData>>10), "")
		return
	case !knownUserData(data):
		b.report(problem.Warning, ErrUserData, spec.CloudUserdata, "cloud-init does not know this form of user-data and ignores it", "begin it with #cloud-config, #!, #include or another mark of cloud-init, or with the head of a MIME message")
	}
	s := spec.Secret(text)
	b.spec.UserData = &s
}

// knownUserData reports whether cloud-init has a handler for user-data that begins so, or
// unpacks it.
func knownUserData(data []byte) bool {
	if bytes.HasPrefix(data, []byte{0x1f, 0x8b}) { // gzip
		return true
	}
	head := bytes.ToLower(bytes.TrimLeft(data[:min(len(data), 4096)], " \t\r\n"))
	return slices.ContainsFunc([]string{
		"#cloud-config", "#!", "#include", "#cloud-boothook", "#part-handler", "#upstart-job", "## template: jinja",
		"content-type:", "mime-version:", "from ", "from:",
	}, func(mark string) bool { return bytes.HasPrefix(head, []byte(mark)) })
}
