package secrets

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/url"
	"regexp"
	"strings"
)

// Canaries are the secrets of one deployment, as the parameters take them.
type Canaries struct {
	Password string // img_passwd
	Key      string // auth_keys
	UserData string // cloud_userdata
	File     string // contents in img_personality

	// Texts are what gives a secret away, by name: the parts of the above, also as
	// they are before or after base64, and the forms in which programs print them.
	Texts map[string]string
}

// NewCanaries returns secrets that are nowhere else.
func NewCanaries() Canaries {
	password, comment, data, file := Unique("canary-password"), Unique("canary-comment"), Unique("canary-userdata"), Unique("canary-file")
	// RFC 8709 section 4: two strings, each behind its length.
	blob := append([]byte("\x00\x00\x00\x0bssh-ed25519\x00\x00\x00\x20"), make([]byte, 32)...)
	_, _ = rand.Read(blob[len(blob)-32:]) // never fails, see its documentation
	key := base64.StdEncoding.EncodeToString(blob)
	c := Canaries{
		Password: password + ` it's "<&>"`,
		Key:      "ssh-ed25519 " + key + " " + comment,
		UserData: base64.StdEncoding.EncodeToString([]byte("#cloud-config\npassword: " + data + "\n")),
		File:     base64.StdEncoding.EncodeToString([]byte(file + "\n")),
	}
	c.Texts = map[string]string{
		"password": password, "key": key, "comment of the key": comment, "user-data": data, "file": file,
		"user-data in base64": c.UserData, "file in base64": c.File,
	}
	for name, text := range map[string]string{"password": c.Password, "user-data": data, "file": file} {
		for form, shown := range Forms(text) {
			c.Texts[name+" "+form] = shown
		}
	}
	return c
}

// Forms are how programs show a text beside as it is, by name: in the quotes of a
// shell's trace, as JSON, URLs and batch files have it, in hexadecimal digits, and in base64,
// in which it looks different after one or two other bytes.
func Forms(text string) map[string]string {
	inJSON, _ := json.Marshal(text) // never fails for a string
	digits := hex.EncodeToString([]byte(text))
	spaced := regexp.MustCompile("..").ReplaceAllString(digits, "$0 ")
	forms := map[string]string{
		"in hexadecimal": digits, "in HEXADECIMAL": strings.ToUpper(digits), "in a dump": strings.TrimSpace(spaced),
	}
	for name, form := range map[string]string{
		"quoted": strings.ReplaceAll(text, "'", `'\''`), "in JSON": string(inJSON[1 : len(inJSON)-1]),
		"in a form": url.QueryEscape(text), "in a path": url.PathEscape(text),
		"in a batch file": strings.NewReplacer(`"`, `\^"`, "&", "^&", "<", "^<", ">", "^>", "%", "%%").Replace(text),
	} {
		if form != text {
			forms[name] = form
		}
	}
	for before := range 3 {
		b := []byte(strings.Repeat("x", before) + text)
		b = b[:len(b)-len(b)%3] // the last characters depend on what follows
		encoded := base64.StdEncoding.EncodeToString(b)
		forms[fmt.Sprintf("in base64 after %d", before)] = encoded[(before*8+5)/6:]
	}
	return forms
}
