package vm

import (
	"encoding/binary"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf16"

	"golang.org/x/sys/unix"

	"snf-image/tests/harness"
	"snf-image/tests/hive"
	"snf-image/tests/images"
	"snf-image/tests/oracle"
)

// answerWith is an answer file for amd64 with elements in Microsoft-Windows-Shell-Setup.
func answerWith(elements string) string {
	return `<?xml version="1.0"?>` + "\r\n" + `<unattend xmlns="urn:schemas-microsoft-com:unattend">` + "\r\n<!-- " + strings.Repeat("of the administrator ", 200) +
		` --><settings pass="specialize"><component name="Microsoft-Windows-Shell-Setup" processorArchitecture="amd64">` + elements + "</component></settings>\r\n</unattend>\r\n"
}

// identity has libxml2 say what the answer file on C: has for the name, the product key and the
// owner.
func (j *job) identity(answerFile string) string {
	j.t.Helper()
	text := func(name string) string { return `//*[local-name()="` + name + `"]` }
	file := j.file("read.xml", oracle.ReadFile(j.t, j.disk, 3, answerFile))
	query := "concat(count(" + text("ComputerName") + "), ' ', " + text("ComputerName") + ", ' ', " + text("ProductKey") + ", ' ', " + text("RegisteredOwner") + ")"
	return strings.TrimSpace(sh(j.t, "xmllint", "--nonet", "--xpath", query, file))
}

// compressed tells of each file on C: whether NTFS compresses it, and its content takes less room than it has bytes.
func compressed(t *testing.T, disk string, names ...string) (is []bool) {
	t.Helper()
	oracle.Mounted(t, disk, 3, func(dir string) {
		for _, name := range names {
			var buf [4]byte
			var st unix.Stat_t
			_, err := unix.Getxattr(filepath.Join(dir, name), images.Attributes, buf[:])
			if err == nil {
				err = unix.Stat(filepath.Join(dir, name), &st)
			}
			if err != nil {
				t.Fatal(name, err)
			}
			marked := binary.BigEndian.Uint32(buf[:])&images.Compressed != 0
			if small := st.Blocks*512 < st.Size; small != marked {
				t.Errorf("%s, compressed: %v, takes %d bytes for %d", name, marked, st.Blocks*512, st.Size)
			}
			is = append(is, marked)
		}
	})
	return is
}

// TestWindowsAnswers deploys a Windows all of whose files are compressed, with an answer file of
// its own, and gives it others before it is started: its name and product key stay until one has
// others. With the last one another account gets a password, and the machine a SetupComplete.cmd:
// what is due at its first boot stays.
func TestWindowsAnswers(t *testing.T) {
	needsWindows(t)
	harness.Gate(t, "xmllint")
	const (
		system, kernel, complete = "Windows/System32/config/SYSTEM", "Windows/System32/ntoskrnl.exe", "Windows/Setup/Scripts/SetupComplete.cmd"
		key                      = "AAAAA-BBBBB-CCCCC-DDDDD-EEEEE"
	)
	own := "rem " + strings.Repeat("of the image ", 1000) + "\r\n"
	image := images.WindowsGPT(images.WindowsTree(t, hive.System(t, "2019-amd64")).With(
		images.Entry{Path: "autounattend.xml", Data: answerWith("<ComputerName>*</ComputerName><RegisteredOwner>image</RegisteredOwner>")},
		images.Entry{Path: complete, Data: own},
		images.Entry{Path: kernel, Data: strings.Repeat("kernel", 10_000)},
	))
	image.Parts[2].State = images.NTFSCompressed
	j := newJob(t, image)
	site.Run(t, j.windowsArgs("--product-key-file", j.file("key", key+"\n"), "--password-file", j.file("pw", "Geheim&1\n"))...).OK(t)
	j.done()
	files := []string{system, kernel, complete, "autounattend.xml"}
	for disk, want := range map[string][]bool{j.image: {true, true, true, true}, j.disk: {false, true, false, false}} {
		for i, is := range compressed(t, disk, files...) {
			if is != want[i] {
				t.Errorf("%s of %s, compressed: %v", files[i], disk, is)
			}
		}
	}
	registryDiffers(t, j, 3, "Windows/System32/", 1)
	if got := oracle.ReadFile(t, j.disk, 3, complete); !strings.Contains(got, strings.TrimSpace(own)) {
		t.Errorf("the image's own SetupComplete.cmd is not kept: %.200q", got)
	}
	if got, want := j.identity("autounattend.xml"), "1 web1 "+key+" image"; got != want {
		t.Errorf("the image's own answer file says %q, want %q", got, want)
	}
	var wide strings.Builder
	for _, u := range utf16.Encode([]rune("\ufeff" + answerWith("<ComputerName>*</ComputerName><RegisteredOwner>Größe</RegisteredOwner>"))) {
		wide.Write([]byte{byte(u), byte(u >> 8)})
	}
	for _, c := range []struct {
		given, want, warning string
		more                 []string
	}{
		{wide.String(), "1 web1 " + key + " Größe", "", nil},
		{answerWith("<ComputerName>db2</ComputerName>"), "1 db2 " + key, `names the computer "db2": the name web1, which was set before, is given up`, []string{
			"--password-file", j.file("pw", "Geheim&2\n"), "--property", "USERS=guest", "--file", j.file("given", "echo given\r\n") + ":/" + complete,
		}},
	} {
		o := site.Run(t, append([]string{"customize", "--disk", j.disk, "--answer-file", j.file("answer.xml", c.given)}, c.more...)...).OK(t)
		j.done()
		if got := j.identity("unattend.xml"); got != c.want {
			t.Errorf("the answer file says %q, want %q\n%s", got, c.want, o)
		}
		if strings.Contains(o.Stderr, "WARNING") != (c.warning != "") || !strings.Contains(o.Stderr, c.warning) {
			t.Errorf("warnings, want %q:\n%s", c.warning, o)
		}
	}
	for p, parts := range map[string][]string{
		"Windows/SnfScripts/ChangeAdminPassword.cmd": {`^"Administrator^" ^"Geheim^&1^"`, `^"guest^" ^"Geheim^&2^"`},
		complete: {"\r\necho given\r\n", `call :snf_wipe "%SNF%\ChangeAdminPassword.cmd"`, `call :snf_wipe "%SystemDrive%\unattend.xml"`, `call :snf_wipe "%SystemDrive%\Windows\Panther\Unattend\unattend.xml"`},
	} {
		text := oracle.ReadFile(t, j.disk, 3, p)
		for _, part := range parts {
			if !strings.Contains(text, part) {
				t.Errorf("%s does not have %q:\n%s", p, part, text)
			}
		}
	}
}
