package answer

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"snf-image/tests/require"
)

// TestStandard completes the answer file of an image that has none.
func TestStandard(t *testing.T) {
	t.Parallel()
	require.Tool(t, "xmllint")
	for _, arch := range Architectures() {
		for _, modern := range []bool{false, true} {
			data, err := Standard(arch, "GMT Standard Time", modern)
			if err != nil {
				t.Fatal(err)
			}
			c := completion()
			c.Architecture = arch
			out, err := Complete(data, c)
			if err != nil {
				t.Fatal(err)
			}
			query := "concat(count(//*[local-name()='component' and @processorArchitecture='" + arch + "']), ' ', //*[local-name()='TimeZone'], ' ', " +
				"//*[local-name()='ComputerName'], ' ', count(//*[local-name()='HideLocalAccountScreen']), ' ', count(//*[local-name()='Path']), ' ', //*[local-name()='UILanguage'])"
			pages := map[bool]int{true: 1}[modern]
			if got, want := xmllint(t, out, "--xpath", query), fmt.Sprintf("4 GMT Standard Time web1 %d 2 en-US", pages); got != want {
				t.Errorf("%s: libxml2 says %q, want %q:\n%s", arch, got, want, out)
			}
		}
	}
	for _, arch := range []string{"", "amd\x7f4"} {
		if _, err := Complete([]byte(wrap("")), Completion{Architecture: arch}); err == nil || !strings.Contains(err.Error(), "PROCESSOR_ARCHITECTURE") {
			t.Errorf("an answer file of the architecture %q: %v", arch, err)
		}
	}
	if _, err := Standard("ia64", "UTC", true); err == nil {
		t.Error("an answer file was made for ia64")
	}
}

// wrap makes an answer file of what is in its root.
func wrap(text string) string { return `<unattend xmlns="` + unattend + `">` + text + `</unattend>` }

func TestRefused(t *testing.T) {
	t.Parallel()
	laughs := `<!DOCTYPE unattend [<!ENTITY a "ha">`
	for i := range 30 {
		c := 'b' + rune(i)
		laughs += fmt.Sprintf(`<!ENTITY %c "&%c;&%c;&%c;&%c;">`, c, c-1, c-1, c-1, c-1)
	}
	for name, data := range map[string]string{
		"empty":             "",
		"no XML":            "[Unattended]\r\n",
		"cut off":           wrap("")[:40],
		"external entity":   `<!DOCTYPE unattend [<!ENTITY x SYSTEM "file:///etc/shadow">]>` + wrap("&x;"),
		"external DTD":      `<!DOCTYPE unattend SYSTEM "http://127.0.0.1/x.dtd">` + wrap(""),
		"billion laughs":    laughs + "]>" + wrap("&z;"),
		"unknown entity":    wrap("&nbsp;"),
		"directive inside":  wrap("<!ELEMENT a ANY>"),
		"another root":      `<html xmlns="` + unattend + `"/>`,
		"another namespace": `<unattend xmlns="urn:x"/>`,
		"no namespace":      `<unattend/>`,
		"two roots":         wrap("") + wrap(""),
		"text behind":       wrap("") + "x",
		"late declaration":  "\n<?xml version=\"1.0\"?>" + wrap(""),
		"attribute twice":   wrap(`<settings pass="specialize" pass="oobeSystem"/>`),
		"unknown prefix":    wrap(`<settings wcm:action="add"/>`),
		"element's prefix":  wrap(`<x:settings/>`),
		"control character": wrap("\x01"),
		"not UTF-8":         wrap("\xff"),
		"odd UTF-16":        "\xff\xfe<\x00u",
		"half a surrogate":  "\xff\xfe<\x00\x00\xd8",
		"unknown encoding":  `<?xml version="1.0" encoding="koi8-r"?>` + wrap(""),
		"too deep":          wrap(strings.Repeat("<a>", 100) + strings.Repeat("</a>", 100)),
		"very deep":         wrap(strings.Repeat("<a>", 300_000)),
		"many attributes":   manyAttributes(),
		"too large":         wrap(strings.Repeat(" ", Size)),
		"no order number left": wrap(`<settings pass="specialize"><component name="Microsoft-Windows-Deployment" processorArchitecture="amd64"><RunSynchronous>` +
			`<RunSynchronousCommand><Order>500</Order><Path>x</Path></RunSynchronousCommand></RunSynchronous></component></settings>`),
	} {
		out, err := Complete([]byte(data), completion())
		if !errors.Is(err, ErrRefused) {
			t.Errorf("%s: %q, %v, want ErrRefused", name, out, err)
		}
	}
}

// manyAttributes is an answer file with as many prefixes as elements that may use them.
func manyAttributes() string {
	var b strings.Builder
	for i := range 20_000 {
		fmt.Fprintf(&b, ` xmlns:n%d="u"`, i)
	}
	return `<unattend xmlns="` + unattend + `" xmlns:z="u"` + b.String() + `>` + strings.Repeat("<z:a/>", 80_000) + `</unattend>`
}

// TestDeclaration corrects the declaration of what an editor saved as UTF-8.
func TestDeclaration(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		`<?xml version="1.0" encoding="utf-16"?>`:                        `<?xml version="1.0" encoding="utf-8"?>`,
		`<?xml version='1.0' encoding='UTF-16' standalone='yes'?>`:       `<?xml version='1.0' encoding='utf-8' standalone='yes'?>`,
		`<?xml version="1.0" encoding="windows-1252"?><!-- ` + "\xfc-->": `<?xml version="1.0" encoding="windows-1252"?><!-- ` + "\xfc-->",
		`<?xml version="1.0"?>`:                                          `<?xml version="1.0"?>`,
	} {
		out, err := Complete([]byte(in+wrap("")), completion())
		if err != nil || !strings.HasPrefix(string(out), want) {
			t.Errorf("%s: %.60q, %v", in, out, err)
		}
	}
}

// TestUntouched leaves the bytes of an answer file that has everything, whatever they look like.
func TestUntouched(t *testing.T) {
	t.Parallel()
	for _, f := range corpus(t) {
		out, err := Complete(f.Data, Completion{Architecture: "amd64"})
		if err != nil || string(out) != string(f.Data) {
			t.Errorf("%s was changed: %v\n%s", f.Name, err, out)
		}
	}
}

func TestRead(t *testing.T) {
	t.Parallel()
	for _, f := range corpus(t) {
		got, err := Read(f.Data, "amd64")
		var want Settings
		switch f.Name {
		case "all-passes":
			want = Settings{RefuseRemote: new(bool)}
		case "first-logon":
			want = Settings{Local: []string{"vagrant"}, AutoLogon: "Administrator"}
		}
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%s: %v (-want +got):\n%s", f.Name, err, diff)
		}
	}
}

// TestRefuseRemote has each component that counts refuse connections, and leaves the rest.
// TestIdentity: a name that Windows is to choose is none, wherever another one is; components of other
// systems, and the product key of another pass, do not count.
func TestIdentity(t *testing.T) {
	t.Parallel()
	component := func(arch, says string) string {
		return `<component name="Microsoft-Windows-Shell-Setup" processorArchitecture="` + arch + `">` + says + "</component>"
	}
	const key = "<UserData><ProductKey><Key>AAAAA-BBBBB-CCCCC-DDDDD-EEEEE</Key></ProductKey></UserData>"
	for what, c := range map[string]struct{ text, name, key string }{
		"none":      {component("amd64", "<ComputerName> * </ComputerName>"), "", ""},
		"two":       {component("amd64", "<ComputerName>*</ComputerName>") + component("AMD64", "<ComputerName>db2</ComputerName><ProductKey>K</ProductKey>"), "db2", "K"},
		"foreign":   {component("x86", "<ComputerName>db2</ComputerName><ProductKey>K</ProductKey>"), "", ""},
		"commented": {component("amd64", "<ComputerName><!-- any -->web<![CDATA[1]]></ComputerName>"), "web1", ""},
	} {
		data := wrap(`<settings pass="windowsPE">` + component("amd64", key) + `</settings><settings pass="specialize">` + c.text + "</settings>")
		if name, key, err := Identity([]byte(data), "amd64"); name != c.name || key != c.key || err != nil {
			t.Errorf("%s: %q, %q, %v", what, name, key, err)
		}
	}
}

func TestRefuseRemote(t *testing.T) {
	t.Parallel()
	component := func(pass, arch, deny string) string {
		return `<settings pass="` + pass + `"><component name="Microsoft-Windows-TerminalServices-LocalSessionManager" processorArchitecture="` + arch + `">` + deny + `</component></settings>`
	}
	const allow, deny = "<fDenyTSConnections> false </fDenyTSConnections>", "<fDenyTSConnections>true</fDenyTSConnections>"
	for name, c := range map[string]struct{ before, after string }{
		"allowed":         {component("specialize", "amd64", allow), component("specialize", "amd64", deny)},
		"in upper case":   {component("SPECIALIZE", "AMD64", "<fDenyTSConnections>FALSE</fDenyTSConnections>"), component("SPECIALIZE", "AMD64", deny)},
		"later":           {component("oobeSystem", "amd64", allow), component("oobeSystem", "amd64", deny)},
		"refused already": {component("specialize", "amd64", deny), component("specialize", "amd64", deny)},
		"another system":  {component("specialize", "x86", allow), component("specialize", "x86", allow)},
		"nothing":         {component("specialize", "amd64", "<x/>"), component("specialize", "amd64", "<x/>")},
	} {
		out, err := Complete([]byte(wrap(c.before)), Completion{Architecture: "amd64", RefuseRemote: true})
		if err != nil || string(out) != wrap(c.after) {
			t.Errorf("%s: %v\n%s\nwant\n%s", name, err, out, wrap(c.after))
		}
	}
}

func FuzzComplete(f *testing.F) {
	for _, c := range corpus(f) {
		f.Add(c.Data)
	}
	f.Add([]byte("\xff\xfe<\x00u\x00/\x00>\x00"))
	f.Fuzz(func(t *testing.T, data []byte) {
		out, err := Complete(data, completion())
		if err != nil {
			return
		}
		again, err := Complete(out, completion())
		if err != nil || string(again) != string(out) {
			t.Fatalf("completed again: %v\n%q\n%q", err, out, again)
		}
		if _, err := Read(out, "amd64"); err != nil {
			t.Fatal(err)
		}
	})
}
