package redact

import (
	"encoding/base64"
	"os/exec"
	"strings"
	"testing"
	"unicode/utf8"

	"snf-image/internal/spec"
)

// password has what each encoding treats in its own way.
const password = `Zwölf "Boxkämpfer" & it's \ <20%>`

// TestRedactForms has real programs print a secret in the forms they know. Nothing of it
// that could be read stays.
func TestRedactForms(t *testing.T) {
	t.Parallel()
	var r Redactor
	r.AddPasswords(password)
	for name, script := range map[string]string{
		"raw":                     `printf '%s\n' "$P"`,
		"by word":                 `for w in $P; do echo "$w"; done`,
		"traced":                  `(set -x; : "$P") 2>&1`,
		"traced assignment":       `(set -x; Q=$P) 2>&1`,
		"quoted with printf":      `printf '%q\n' "$P"`,
		"quoted by expansion":     `echo "${P@Q}"`,
		"quoted, in the C locale": `export LC_ALL=C; printf '%q\n' "$P"; echo "${P@Q}"`,
		"in base64":               `printf '%s' "$P" | base64`,
		"in base64, shifted":      `printf '%s' "a$P" | base64; printf '%s' "bc$P" | base64`,
		"in base64, in lines":     `printf '%s' "$P" | base64 -w 7`,
		"in base64, twice":        `printf '%s' "$P" | base64 | base64`,
		"in base32's brother":     `printf '%s' "$P" | base64 | tr +/ -_`,
		"in hexadecimal, od":      `printf '%s' "$P" | od -An -v -tx1 -w64`,
		"in hexadecimal, lines":   `printf '%s' "$P" | od -An -v -tx1`,
		"in hexadecimal, plain":   `printf '%s' "$P" | od -An -v -tx1 | tr -d ' \n'`,
		"in upper case":           `printf '%s' "$P" | od -An -v -tx1 | tr -d ' \n' | tr a-f A-F`,
		"after a digit":           `printf 5; printf '%s' "$P" | od -An -v -tx1 | tr -d ' \n'`,
		"hexadecimal in C":        `printf '%s' "$P" | od -An -v -tx1 | tr -d '\n' | sed 's/ /\\x/g'`,
		"octal":                   `printf '%s' "$P" | od -An -v -to1 | tr -d '\n' | sed 's/ /\\/g'`,
		"in a URL":                `printf '%s' "$P" | od -An -v -tx1 | tr -d '\n' | sed 's/ /%/g'`,
		"traced and in base64":    `(set -x; : "$P") 2>&1 | base64 -w 0`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cmd := exec.Command("bash", "-c", "echo before; "+script+"; echo; echo after")
			cmd.Env = []string{"PATH=/usr/bin:/bin", "LC_ALL=C.UTF-8", "P=" + password}
			out, err := cmd.Output()
			if err != nil {
				t.Fatal(err)
			}
			hidden(t, &r, string(out), 20)
		})
	}
}

// hidden fails the test if redacting text leaves more than a few bytes of it.
func hidden(t *testing.T, r *Redactor, text string, most int) {
	t.Helper()
	got := r.Redact(text)
	if !strings.Contains(got, spec.Redacted) || !strings.HasPrefix(got, "before\n") || !strings.HasSuffix(got, "after\n") {
		t.Errorf("Redact(%q) = %q, want it redacted between before and after", text, got)
	}
	rest := strings.TrimSuffix(strings.TrimPrefix(got, "before\n"), "after\n")
	if rest = strings.ReplaceAll(rest, spec.Redacted, ""); len(rest) > most {
		t.Errorf("Redact(%q) = %q, which leaves too much", text, got)
	}
	for _, word := range []string{"Boxk", "mpfer", "wölf", "it's"} {
		if strings.Contains(got, word) {
			t.Errorf("Redact(%q) = %q, which has %q", text, got, word)
		}
	}
}

// TestRedactJSON: as Go and as Python write it.
func TestRedactJSON(t *testing.T) {
	t.Parallel()
	var r Redactor
	r.AddPasswords(password + "😀")
	for _, text := range []string{
		`{"p":"Zwölf \"Boxkämpfer\" \u0026 it's \\ \u003c20%\u003e😀"}`,
		`{"p":"Zw\u00f6lf \"Boxk\u00e4mpfer\" & it's \\ <20%>\ud83d\ude00"}`,
		`{"p":"{\"p\":\"Zw\\u00f6lf \\\"Boxk\\u00e4mpfer\\\" & it's \\\\ <20%>😀\"}"}`,
	} {
		got := r.Redact(text)
		if !strings.Contains(got, spec.Redacted) || strings.Contains(got, "mpfer") || strings.Contains(got, "20%") || strings.Contains(got, "d83d") {
			t.Errorf("Redact(%s) = %s", text, got)
		}
	}
}

// TestRedactWindows: as the scripts of Windows have it, which a program may print.
func TestRedactWindows(t *testing.T) {
	t.Parallel()
	var r Redactor
	r.AddPasswords(password, "zu(0^8%", `a\\"bc\`)
	for text, want := range map[string]string{
		`net user ^"Anna^" ^"Zwölf \^"Boxkämpfer\^" ^& it's \ ^<20%%^>^" /Y`: `net user ^"Anna^" ^"[secret]^" /Y`,
		`user x ^"zu^(0^^8%%^" /Y`:   `user x ^"[secret]^" /Y`,
		`user x ^"a\\\\\^"bc\\^" /Y`: `user x ^"[secret]^" /Y`,
		"set SNF_PASSWORD=WgB3APYAbABmACAAIgBCAG8AeABrAOQAbQBwAGYAZQByACIAIAAmACAAaQB0ACcAcwAgAFwAIAA8ADIAMAAlAD4A\r\n": "set SNF_PASSWORD=[secret]\r\n",
		"powershell -EncodedCommand IwB6AHUAKAAwAF4AOAAlAA==":                                                           "powershell -EncodedCommand Iw[secret]==",
	} {
		if got := r.Redact(text); got != want {
			t.Errorf("Redact(%s) = %s, want %s", text, got, want)
		}
	}
}

// TestRedactURL: as forms and as paths have it.
func TestRedactURL(t *testing.T) {
	t.Parallel()
	var r Redactor
	r.AddPasswords("one two+three/four")
	for text, want := range map[string]string{
		"p=one+two%2Bthree%2Ffour&x=1": "p=" + spec.Redacted + "&x=1",
		"p=one%20two+three%2ffour&x=1": "p=" + spec.Redacted + "&x=1",
		"p=two%2bthree%2ffour":         "p=" + spec.Redacted,
	} {
		if got := r.Redact(text); got != want {
			t.Errorf("Redact(%s) = %s, want %s", text, got, want)
		}
	}
}

// TestRedactCredentials hides all that the agent is given.
func TestRedactCredentials(t *testing.T) {
	t.Parallel()
	var r Redactor
	password, key := spec.Secret("for Windows"), spec.Secret("klmno-pqrst")
	r.AddCredentials(spec.Credentials{
		Password: &password, ProductKey: &key,
		Hashes:         map[string]spec.Secret{"root": "$6$salt$hashhashhash"},
		AuthorizedKeys: []string{"ssh-ed25519 AAAAC3 admin@home"},
		HostKeys:       []spec.HostKey{{Type: "rsa", Private: "-----BEGIN\nb3BlbnNzaC1rZXk\nAAAA\n-----END", Public: "ssh-rsa PUBLIC"}},
		Files:          []spec.File{{Path: "/etc/secret", Contents: []byte("first line\r\n\tsecond line\nabc\n")}},
		Environment: map[string]spec.Secret{
			"SNF_IMAGE_PASSWD": "correct horse", "SNF_IMAGE_OS_PRODUCT_KEY": "ABCDE-FGHIJ",
			"SNF_IMAGE_CLOUD_USERDATA": spec.Secret(base64.StdEncoding.EncodeToString([]byte("#cloud-config\npassword: tiger\n"))),
			"SNF_IMAGE_PERSONALITY":    `[{"path":"/etc/secret"}]`,
		},
	})
	for text, want := range map[string]string{
		"root:$6$salt$hashhashhash:19000:0:99999": "root:[secret]:19000:0:99999",
		"k: ssh-ed25519 AAAAC3 admin@home":        "k: [secret]",
		"b3BlbnNzaC1rZXk":                         "[secret]",
		"ssh-rsa PUBLIC":                          "ssh-rsa PUBLIC",
		"+ echo 'first line' abc":                 "+ echo '[secret]' abc",
		"second line":                             "[secret]",
		"horse battery, key ABCDE-FGHIJ":          "[secret] battery, key [secret]",
		"password: tiger":                         "[secret]",
		"password:\\ tiger":                       "[secret]",
		`P=[{"path":"/etc/secret"}]!`:             "P=[secret]!",
		"nothing of it":                           "nothing of it",
		"<ProductKey>KLMNO-PQRST</ProductKey>":    "<ProductKey>[secret]</ProductKey>",
		"net user x \"for Windows\"":              `net user x "[secret]"`,
	} {
		if got := r.Redact(text); got != want {
			t.Errorf("Redact(%q) = %q, want %q", text, got, want)
		}
	}
}

// TestRedactSpec hides what the host knows.
func TestRedactSpec(t *testing.T) {
	t.Parallel()
	pw, key := spec.Secret("geheim"), spec.Secret("PRODUCT-KEY")
	var r Redactor
	r.AddSpec(&spec.Spec{Password: &pw, ProductKey: &key, AuthorizedKeys: []string{"ssh-rsa AAAA me"}, Files: []spec.File{{Contents: []byte("motd text")}}})
	if got, want := r.Redact("geheim PRODUCT-KEY ssh-rsa AAAA me, motd text."), "[secret] [secret] [secret], [secret]."; got != want {
		t.Errorf("Redact = %q, want %q", got, want)
	}
	if got := new(Redactor).Redact("geheim"); got != "geheim" {
		t.Errorf("without secrets, Redact = %q", got)
	}
}

// TestRedactOverlapping: what two secrets share hides neither of them.
func TestRedactOverlapping(t *testing.T) {
	t.Parallel()
	var r Redactor
	r.AddPasswords("abcdefgh", "efghijkl", "cdef")
	if got, want := r.Redact("x abcdefghijkl y"), "x "+spec.Redacted+" y"; got != want {
		t.Errorf("Redact = %q, want %q", got, want)
	}
}

func FuzzRedact(f *testing.F) {
	f.Add("+ echo 'geheim' %67 \\x67 Z2VoZWlt \\ud83d\\ude00", "geheim")
	f.Fuzz(func(t *testing.T, text, secret string) {
		var r Redactor
		r.AddPasswords(spec.Secret(secret))
		got := r.Redact(text)
		if len(secret) >= minSecret && strings.Contains(strings.ReplaceAll(got, spec.Redacted, ""), secret) && !strings.Contains(spec.Redacted, secret) && !strings.Contains(got, spec.Redacted) {
			t.Errorf("Redact(%q) = %q, which has %q", text, got, secret)
		}
		if utf8.ValidString(text) && utf8.ValidString(secret) && got != text && !strings.Contains(got, spec.Redacted) {
			t.Errorf("Redact(%q) = %q, changed without a mark", text, got)
		}
	})
}
