package vm

import (
	"encoding/base64"
	"path/filepath"
	"strings"
	"testing"

	"snf-image/tests/harness"
	"snf-image/tests/hive"
	"snf-image/tests/secrets"
)

// TestSecretsWindows searches while a Windows is deployed with a password, a product key and
// an answer file, and a task prints the scripts that have them.
func TestSecretsWindows(t *testing.T) {
	needsWindows(t)
	harness.Gate(t)
	e := newExposure(t)
	image, _ := windowsDisk(t, hive.System(t, "7-x86"))
	e.job = newJob(t, image)
	e.named()
	letters := strings.ToUpper(secrets.Unique("x")[2:])
	key := strings.Join([]string{letters[:5], letters[5:10], letters[10:15], letters[15:20], letters[20:25]}, "-")
	inAnswer := secrets.Unique("canary-answer")
	e.canaries.Texts["product key"], e.canaries.Texts["answer file"] = key, inAnswer
	answer := `<unattend xmlns="urn:schemas-microsoft-com:unattend"><settings pass="oobeSystem"><component name="Microsoft-Windows-Shell-Setup" processorArchitecture="x86">
<UserAccounts><AdministratorPassword>
<Value>` + inAnswer + `</Value>
</AdministratorPassword></UserAccounts></component></settings></unattend>`
	task := e.task(`cd "$SNF_IMAGE_TARGET"; cat Windows/SnfScripts/ChangeAdminPassword.cmd; cat unattend.xml; echo; echo pw "$SNF_IMAGE_PASSWD"`)
	reportFile := filepath.Join(e.dir, "report.json")
	args := e.windowsArgs(
		"--password-file", e.file("password", e.canaries.Password+"\n"), "--product-key-file", e.file("key", key+"\n"),
		"--answer-file", e.file("answer.xml", answer), "--report", reportFile,
		"--property", "CUSTOM_TASK="+base64.StdEncoding.EncodeToString([]byte(task)),
	)
	o := e.watch(nil, func() *harness.Process {
		return site.With(t, "IMAGE_DEBUG=yes", "HELPER_DEBUG=yes", e.console.Setting).Start(t, args...)
	})
	e.search.Tree("report", reportFile)
	o.OK(t)
	e.job.done()
	for _, shown := range []string{`user ^"Administrator^" ^"[secret]^" /ACTIVE:YES`, "[secret]</ProductKey>", "pw [secret]"} {
		if !strings.Contains(o.Stderr, shown) {
			t.Errorf("the log has no %q:\n%s", shown, o.Stderr)
		}
	}
	e.check("log: "+decoyConsole, secrets.Arguments+": "+decoyImage, "report: "+decoyImage)
}
