package secrets

import (
	"crypto/rand"
	"encoding/base64"
)

// Canaries are the secrets of one deployment, as the parameters take them.
type Canaries struct {
	Password string // img_passwd
	Key      string // auth_keys
	UserData string // cloud_userdata
	File     string // contents in img_personality

	// Texts are what gives a secret away, by name: the parts of the above, also as
	// they are before or after base64.
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
		Password: password,
		Key:      "ssh-ed25519 " + key + " " + comment,
		UserData: base64.StdEncoding.EncodeToString([]byte("#cloud-config\npassword: " + data + "\n")),
		File:     base64.StdEncoding.EncodeToString([]byte(file + "\n")),
	}
	c.Texts = map[string]string{
		"password": password, "key": key, "comment of the key": comment, "user-data": data, "file": file,
		"user-data in base64": c.UserData, "file in base64": c.File,
	}
	return c
}
