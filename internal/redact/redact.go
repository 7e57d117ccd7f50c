// Package redact takes secrets out of texts that may hold them, in the forms programs print
// them in.
package redact

import (
	"encoding/base64"
	"encoding/binary"
	"regexp"
	"slices"
	"strings"
	"sync"
	"unicode/utf16"

	"snf-image/internal/spec"
)

// minSecret is the length in bytes below which a part of a secret stays: taken out, it
// would make holes everywhere and hide nothing.
const minSecret = 4

// Redactor takes secrets out of the output of programs that may know them. It finds
// them as they are and in shell quotes, escaped as in C, JSON, URLs or batch files, in base64
// and in hexadecimal digits, and in two of these around each other.
//
// It is a net, not a wall: what a program reverses or encrypts passes. Output of such
// programs is therefore for the log alone, where a setting asks for it.
type Redactor struct {
	mu    sync.Mutex
	known map[[minSecret]byte][]string // by their beginning
}

// AddPasswords adds secrets that are hidden as a whole and by word.
func (r *Redactor) AddPasswords(passwords ...spec.Secret) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, p := range passwords {
		r.addPassword(p.Reveal())
		for word := range strings.FieldsSeq(p.Reveal()) {
			r.addPassword(word)
		}
	}
}

// addPassword adds a password also in the forms in which scripts of Windows have it.
func (r *Redactor) addPassword(p string) {
	r.add(p)
	if len(p) < minSecret {
		return
	}
	r.add(forBatch.Replace(slashesBefore.ReplaceAllString(p, "$1$1$2")))
	var wide []byte // they have it in base64
	for _, unit := range utf16.Encode([]rune(p)) {
		wide = binary.LittleEndian.AppendUint16(wide, unit)
	}
	r.add(string(wide))
}

// slashesBefore are the backslashes that programs of Windows would take for an escape: they are
// doubled.
var slashesBefore = regexp.MustCompile(`(\\+)("|$)`)

// forBatch escapes what cmd.exe knows outside of quotes.
var forBatch = strings.NewReplacer(`"`, `\^"`, "%", "%%", "^", "^^", "&", "^&", "|", "^|", "<", "^<", ">", "^>", "(", "^(", ")", "^)", "!", "^!")

// AddTexts adds secrets that are hidden line by line.
func (r *Redactor) AddTexts(texts ...spec.Secret) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, text := range texts {
		for line := range strings.SplitSeq(text.Reveal(), "\n") {
			r.add(strings.TrimSpace(line))
		}
	}
}

// AddCredentials adds what the agent gets, and what is encoded in it.
func (r *Redactor) AddCredentials(c spec.Credentials) {
	for _, hash := range c.Hashes {
		r.AddPasswords(hash)
	}
	for _, key := range c.HostKeys {
		r.AddTexts(key.Private)
	}
	for _, key := range c.AuthorizedKeys {
		r.AddTexts(spec.Secret(key))
	}
	r.AddTexts(c.UserData)
	for _, f := range c.Files {
		r.AddTexts(spec.Secret(f.Contents))
	}
	r.AddTexts(spec.Secret(c.AnswerFile), spec.Secret(c.NodeAnswer))
	if c.Password != nil {
		r.AddPasswords(*c.Password)
	}
	if c.ProductKey != nil { // an answer file has it in upper case
		r.AddPasswords(*c.ProductKey, spec.Secret(strings.ToUpper(c.ProductKey.Reveal())))
	}
	for name, value := range c.Environment {
		switch name {
		case "SNF_IMAGE_PASSWD", "SNF_IMAGE_PASSWD_HASH", "SNF_IMAGE_OS_PRODUCT_KEY":
			r.AddPasswords(value)
		case "SNF_IMAGE_CLOUD_USERDATA":
			r.addUserData(value)
		default:
			r.AddTexts(value)
		}
	}
}

// AddSpec adds what the deployment was given.
func (r *Redactor) AddSpec(s *spec.Spec) {
	for _, p := range []*spec.Secret{s.Password, s.PasswordHash, s.ProductKey} {
		if p != nil {
			r.AddPasswords(*p)
		}
	}
	if s.UserData != nil {
		r.addUserData(*s.UserData)
	}
	r.AddCredentials(spec.Credentials{AuthorizedKeys: s.AuthorizedKeys, Files: s.Files})
}

// addUserData adds user-data in base64.
func (r *Redactor) addUserData(text spec.Secret) {
	r.AddTexts(text)
	if data, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(text.Reveal()), "")); err == nil {
		r.AddTexts(spec.Secret(data))
	}
}

// add adds one part, also without quotes: the shell puts them anywhere.
func (r *Redactor) add(part string) {
	for _, s := range []string{part, unquote(part)} {
		if len(s) < minSecret {
			continue
		}
		if r.known == nil {
			r.known = map[[minSecret]byte][]string{}
		}
		key := [minSecret]byte([]byte(s[:minSecret]))
		if !slices.Contains(r.known[key], s) {
			r.known[key] = append(r.known[key], s)
		}
	}
}

// Redact returns text with a placeholder for each run of secrets in it.
func (r *Redactor) Redact(text string) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.known) == 0 || len(text) < minSecret {
		return text
	}
	hide := make([]bool, len(text))
	plain := plainView(text)
	r.mark(plain, hide)
	for _, once := range decodings(plain) {
		r.mark(once, hide)
		for _, twice := range decodings(once) {
			r.mark(twice, hide)
		}
	}
	var out strings.Builder
	for i := range len(text) {
		switch {
		case !hide[i]:
			out.WriteByte(text[i])
		case i == 0 || !hide[i-1]:
			out.WriteString(spec.Redacted)
		}
	}
	return out.String()
}

// mark notes which bytes of the text the secrets in a view of it came from.
func (r *Redactor) mark(v view, hide []bool) {
	for i := 0; i+minSecret <= len(v.text); i++ {
		for _, s := range r.known[[minSecret]byte(v.text[i:i+minSecret])] {
			if len(v.text)-i < len(s) || string(v.text[i:i+len(s)]) != s {
				continue
			}
			for n := v.from[i]; n < v.to[i+len(s)-1]; n++ {
				hide[n] = true
			}
		}
	}
}
