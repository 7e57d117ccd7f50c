package main

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"snf-image/internal/host/config"
	"snf-image/internal/host/ganeti"
)

// called runs a script with an environment and returns its exit code and what
// it wrote. The configuration sets REPORT_DIR only.
func called(t *testing.T, env ganeti.Environment, argv ...string) (code int, stdout, stderr string) {
	t.Helper()
	return calledWith(t, t.TempDir(), env, argv...)
}

// calledWith is called with that REPORT_DIR.
func calledWith(t *testing.T, reports string, env ganeti.Environment, argv ...string) (code int, stdout, stderr string) {
	t.Helper()
	conf := filepath.Join(t.TempDir(), "conf")
	if err := os.WriteFile(conf, []byte("REPORT_DIR="+reports+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var out, errs bytes.Buffer
	s := newScript(strings.NewReader(""), &out, &errs, argv, env)
	s.files = []config.File{{Path: conf, Required: true}}
	err := s.call(t.Context(), argv)
	printFailure(&errs, err)
	return exitCode(err), out.String(), errs.String()
}

func TestScriptArguments(t *testing.T) {
	t.Parallel()
	for _, script := range ganeti.Scripts() {
		path := "/usr/share/ganeti/os/snf-image/" + string(script)
		for _, help := range []string{"-h", "--help"} {
			if code, out, errs := called(t, nil, path, help); code != 0 || !strings.HasPrefix(out, "Usage: "+string(script)) || errs != "" {
				t.Errorf("%s %s = %d, %q, %q, want usage", script, help, code, out, errs)
			}
		}
		if code, out, errs := called(t, nil, path, "surplus"); code != 2 || out != "" || !strings.HasPrefix(errs, "Usage: ") {
			t.Errorf("%s surplus = %d, %q, %q, want usage and a failure", script, code, out, errs)
		}
	}
	if code, _, errs := called(t, nil, "verify"); code != 2 || !strings.HasPrefix(errs, "Usage: verify parameters") {
		t.Errorf("verify without arguments = %d, %q, want usage and a failure", code, errs)
	}
}

// TestVerify is called with the environment verify really gets, and less.
func TestVerify(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "variants.list"), []byte("default\nlisted\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name string
		env  ganeti.Environment
		code int
		want []string // each in a line of its own; none: no output
	}{
		{"good", ganeti.Environment{"OSP_IMG_ID": "debian", "OSP_IMG_FORMAT": "diskdump", "OS_API_VERSION": "20", "PATH": "/bin"}, 0, nil},
		{"null", ganeti.Environment{"OSP_IMG_ID": "null", "OSP_IMG_FORMAT": "diskdump"}, 0, nil},
		{"nothing", nil, 2, []string{"img_id: no image", "img_format: no image format"}},
		{
			"everything at once",
			ganeti.Environment{"OSP_IMG_ID": "a:b", "OSP_IMG_FORMAT": "zip", "OSP_IMG_PASSWD": "canary", "OSP_IMG_PASSWD_HASH": "canary", "OS_API_VERSION": "10"},
			2,
			[]string{"OS_API_VERSION", "img_id: a name with a colon", `unknown image format "zip"`, "exclude each other", "and 3 more problems"},
		},
		{"variant not made", ganeti.Environment{"OS_VARIANT": "listed", "OSP_IMG_ID": "x", "OSP_IMG_FORMAT": "raw"}, 2, []string{"make the file"}},
		{"variant mistaken", ganeti.Environment{"OS_VARIANT": "lsited", "OSP_IMG_ID": "x", "OSP_IMG_FORMAT": "raw"}, 2, []string{"use one of the variants default, listed"}},
		{"config_url waives what it may bring", ganeti.Environment{"OSP_CONFIG_URL": "http://192.0.2.1/"}, 0, nil},
		{"config_url waives nothing else", ganeti.Environment{"OSP_CONFIG_URL": "http://192.0.2.1/", "OSP_IMG_FORMAT": "zip"}, 2, []string{`unknown image format "zip"`}},
		{"images by URL", ganeti.Environment{"OSP_IMG_ID": "ftps://u:canary@192.0.2.1/x?canary", "OSP_IMG_FORMAT": "diskdump"}, 0, nil},
		{
			"URLs that reach this node",
			ganeti.Environment{"OSP_IMG_ID": "http://u:canary@127.0.0.1/", "OSP_IMG_FORMAT": "raw", "OSP_CONFIG_URL": "file:///etc/shadow", "OSP_OS_ANSWER_FILE": "file:///etc/passwd"},
			2,
			[]string{"img_id: the URL is refused: it leads to a loopback", "config_url: the URL is refused: only http, https, ftp and ftps", "os_answer_file: the URL is refused: only http, https, ftp and ftps", "and 2 more problems"},
		},
		{
			"an answer file by its path",
			ganeti.Environment{"OSP_IMG_ID": "x", "OSP_IMG_FORMAT": "raw", "OSP_OS_ANSWER_FILE": "/etc/shadow"},
			2,
			[]string{"os_answer_file: it is not a URL"},
		},
	} {
		code, out, errs := called(t, tc.env, filepath.Join(dir, "verify"), "parameters")
		if code != tc.code || out != "" || tc.want == nil && errs != "" || strings.Contains(errs, "canary") {
			t.Errorf("%s: verify = %d, %q, %q, want %d", tc.name, code, out, errs, tc.code)
		}
		for _, want := range tc.want {
			if !strings.Contains(errs, want) {
				t.Errorf("%s: verify says %q, want %q", tc.name, errs, want)
			}
		}
	}
}

// TestVerifyWindows: what the configuration has for a Windows is looked at, unless the system is
// another one.
func TestVerifyWindows(t *testing.T) {
	t.Parallel()
	answer := filepath.Join(t.TempDir(), "answer.xml")
	if err := os.WriteFile(answer, []byte("<x/>"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct{ conf, properties, want string }{
		"good":              {"UNATTEND=" + answer + "\nWINDOWS_TIMEZONE='w. europe standard time'\n", `{"OSFAMILY": "windows"}`, ""},
		"no file":           {"UNATTEND=/nonexistent\n", `{"OSFAMILY": "windows"}`, "reading the answer file of UNATTEND, on /nonexistent"},
		"no file, detected": {"UNATTEND=/nonexistent\n", `{}`, "UNATTEND"},
		"no file, Linux":    {"UNATTEND=/nonexistent\nWINDOWS_TIMEZONE=Mars\n", `{"OSFAMILY": "linux"}`, ""},
		"zone":              {"WINDOWS_TIMEZONE=Europe/Athens\n", `{"OSFAMILY": "windows-legacy"}`, `"Europe/Athens" is not a time zone of Windows`},
		"zone, detected":    {"WINDOWS_TIMEZONE=Europe/Athens\n", `{}`, ""},
	} {
		conf := filepath.Join(t.TempDir(), "conf")
		if err := os.WriteFile(conf, []byte("REPORT_DIR=\n"+tc.conf), 0o600); err != nil {
			t.Fatal(err)
		}
		var out, errs bytes.Buffer
		s := newScript(strings.NewReader(""), &out, &errs, []string{"verify", "parameters"}, ganeti.Environment{
			"OSP_IMG_ID": "x", "OSP_IMG_FORMAT": "diskdump", "OSP_IMG_PROPERTIES": tc.properties,
		})
		s.files = []config.File{{Path: conf, Required: true}}
		err := s.call(t.Context(), []string{"verify", "parameters"})
		printFailure(&errs, err)
		if (err == nil) != (tc.want == "") || !strings.Contains(errs.String(), tc.want) {
			t.Errorf("%s: verify says %q, want %q", name, &errs, tc.want)
		}
	}
}

// TestCreateRefuses leaves a variable out: the owner hears of it as well.
func TestCreateRefuses(t *testing.T) {
	t.Parallel()
	env := ganeti.Environment{"OS_API_VERSION": "20", "INSTANCE_NAME": "web1", "OSP_IMG_ID": "x", "OSP_IMG_FORMAT": "diskdump"}
	reports := filepath.Join(t.TempDir(), "reports")
	code, _, errs := calledWith(t, reports, env, "create")
	if text, err := os.ReadFile(filepath.Join(reports, "web1.json")); err != nil || !strings.Contains(string(text), "no disk is given") {
		t.Errorf("the report in REPORT_DIR is %s, %v", text, err)
	}
	if code != 2 || !strings.Contains(errs, "on DISK_COUNT: no disk is given") || !strings.Contains(errs, `[MONITOR] {"type":"image-error"`) {
		t.Errorf("create without a disk = %d, %q", code, errs)
	}
}

// TestReportDirThatIsMissing costs a warning, not the run.
func TestReportDirThatIsMissing(t *testing.T) {
	t.Parallel()
	env := ganeti.Environment{"OS_API_VERSION": "20", "INSTANCE_NAME": "web1", "OSP_IMG_ID": "x", "OSP_IMG_FORMAT": "diskdump"}
	code, _, errs := calledWith(t, "/nonexistent/reports", env, "create")
	if code != 2 || !strings.Contains(errs, "[WARNING] REPORT_DIR: making the directory of reports") || !strings.Contains(errs, "on DISK_COUNT: no disk is given") {
		t.Errorf("create = %d, %q, want the warning and the failure", code, errs)
	}
}

// TestCreateRequiresProof asks for a proof. What an instance's owner may write satisfies
// it not, and does not take it back; it is known before the disk is looked at.
func TestCreateRequiresProof(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write := func(name, text string) string {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return filepath.Join(dir, name)
	}
	image := strings.Repeat("image...", 64)
	write("image", image)
	sum := fmt.Sprintf("%x", sha256.Sum256([]byte(image)))
	write("SHA256SUMS", sum+"  image\n")
	for variant, tc := range map[string]struct {
		id, text, want string
		hopeless       bool // which verify knows
	}{
		"none":   {"image#sha256=" + sum, "", `its digest came with the parameters of the instance, whose owner cannot vouch for it (required is demanded by VERIFY_IMAGES in ` + dir + `/conf:2)`, true},
		"sums":   {"image", "", "nobody signed SHA256SUMS", true},
		"key":    {"image", "IMG_KEY=0123456789ABCDEF", "the keyring has none of the keys that are bound to it: 0123456789ABCDEF", false},
		"digest": {"image#sha256=" + sum, "IMG_DIGEST=sha256:" + sum, "opening the disk, on " + dir + "/gone", false}, // goes on
		"named":  {"", "IMG_ID=image#sha256=" + sum, "opening the disk, on " + dir + "/gone", false},
		"weaker": {"image", "VERIFY_IMAGES=if-present", "opening the disk, on " + dir + "/gone", false},
		"typing": {"image", "VERIFY_IMAGES=always", "expected none, if-present or required", true},
	} {
		env := ganeti.Environment{
			"OS_API_VERSION": "20", "INSTANCE_NAME": "web1", "OSP_IMG_FORMAT": "diskdump", "OS_VARIANT": variant, "HYPERVISOR": "kvm",
			"DISK_COUNT": "1", "DISK_0_PATH": dir + "/gone", "DISK_0_ACCESS": "rw", "NIC_COUNT": "0", "OSP_VERIFY_IMAGES": "none",
			"OSP_IMG_PROPERTIES": `{"EXCLUDE_ALL_TASKS": "yes"}`,
		}
		if tc.id != "" {
			env["OSP_IMG_ID"] = tc.id
		}
		write(variant+".conf", tc.text+"\n")
		conf := write("conf", "VARIANTS_DIR="+dir+"\nVERIFY_IMAGES=required\nIMAGE_DIR="+dir+"\nREPORT_DIR=\nKEYRING_DIR=/nonexistent\n")
		var out, errs bytes.Buffer
		s := newScript(strings.NewReader(""), &out, &errs, []string{filepath.Join(dir, "create")}, env)
		s.files = []config.File{{Path: conf, Required: true}}
		err := s.call(t.Context(), []string{"create"})
		printFailure(&errs, err)
		if code := exitCode(err); code == 0 || !strings.Contains(errs.String(), tc.want) {
			t.Errorf("%s: exit code %d, want %q\n%s", variant, code, tc.want, &errs)
		}
		s.name = ganeti.Verify
		err = s.call(t.Context(), []string{"verify", "parameters"})
		if refused := exitCode(err) != 0; refused != tc.hopeless {
			t.Errorf("%s: verify says %v", variant, err)
		}
	}
}
