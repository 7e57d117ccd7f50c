package keyring

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"snf-image/tests/gpg"
)

// exported returns the public keys of g.
func exported(t *testing.T, g gpg.GPG, names ...string) []Key {
	t.Helper()
	keys, err := Parse("keys.asc", g.Export(names...))
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

var text = []byte("0123  debian.qcow2\n- a line with a dash\n")

func TestOpenPGP(t *testing.T) {
	t.Parallel()
	g := gpg.New(t)
	good := g.Key("Good <good@example.org>", "ed25519", "never")
	rsa := g.Key("Rsa <rsa@example.org>", "rsa3072", "never")
	short := g.Key("Short <short@example.org>", "rsa1024", "never")
	dsa := g.Key("Dsa <dsa@example.org>", "dsa2048", "never")
	brief := g.Key("Brief <brief@example.org>", "ed25519", "2d")
	revoked := g.Key("Revoked <revoked@example.org>", "ed25519", "never")
	sign := func(key string, more ...string) []byte {
		return g.Run(text, append(more, "--local-user", key, "--output", "-", "--detach-sign")...)
	}
	byRevoked := sign(revoked)
	g.Revoke(revoked)
	all := New(exported(t, g)...)
	later := all
	later.Now = func() time.Time { return time.Now().Add(72 * time.Hour) }
	flipped := bytes.Clone(sign(good))
	flipped[len(flipped)-1] ^= 1
	many := bytes.Repeat(sign(good), maxSignatures+1)

	for name, tc := range map[string]struct {
		keys      Keys
		signature []byte
		signed    []byte
		want      error
		key       string
	}{
		"binary":              {all, sign(good), text, nil, good},
		"armored":             {all, sign(good, "--armor"), text, nil, good},
		"rsa":                 {all, sign(rsa), text, nil, rsa},
		"two, one known":      {all.Bound([]string{good}), append(sign(rsa), sign(good)...), text, nil, good},
		"key will expire":     {all, sign(brief), text, nil, brief},
		"key has expired":     {later, sign(brief), text, ErrKeyExpired, brief},
		"signature expired":   {later, sign(good, "--default-sig-expire", "1d"), text, ErrExpired, good},
		"revoked":             {all, byRevoked, text, ErrKeyRevoked, revoked},
		"short rsa":           {all, sign(short), text, ErrWeakSignature, short},
		"dsa":                 {all, sign(dsa), text, ErrWeakSignature, dsa},
		"sha1":                {all, sign(rsa, "--digest-algo", "SHA1", "--allow-weak-digest-algos"), text, ErrWeakSignature, rsa},
		"unbound":             {all.Bound([]string{rsa}), sign(good), text, ErrUnknownKey, good[len(good)-16:]},
		"no keys":             {Keys{}, sign(good), text, ErrUnknownKey, good[len(good)-16:]},
		"other text":          {all, sign(good), append(bytes.Clone(text), ' '), ErrBadSignature, good},
		"flipped":             {all, flipped, text, ErrBadSignature, good},
		"empty":               {all, nil, text, ErrNoSignature, ""},
		"html":                {all, []byte("<html>not found</html>"), text, ErrNoSignature, ""},
		"cut":                 {all, sign(good)[:20], text, ErrNoSignature, ""},
		"a key, no signature": {all, g.Run(nil, "--export", good), text, ErrNoSignature, ""},
		"an armored key":      {all, g.Run(nil, "--armor", "--export", good), text, ErrNoSignature, ""},
		"too many":            {all, many, text, ErrManySignatures, ""},
		"too big":             {all, make([]byte, MaxFile+1), text, ErrTooBig, ""},
	} {
		s, err := Verify(tc.keys, bytes.NewReader(tc.signed), tc.signature)
		if !errors.Is(err, tc.want) || tc.want == nil && err != nil || s.Key != tc.key {
			t.Errorf("%s: Verify = %q, %v, want %q, %v", name, s.Key, err, tc.key, tc.want)
		}
	}
}

// TestSubkeys takes what a subkey signed for its key, and nothing by one that was revoked or
// has expired since, whatever date the signature has.
func TestSubkeys(t *testing.T) {
	t.Parallel()
	g := gpg.New(t)
	ago := []string{"--faked-system-time", fmt.Sprintf("%d!", time.Now().Add(-72*time.Hour).Unix())}
	for name, tc := range map[string]struct {
		expires, reason string
		want            error
	}{
		"good":       {"never", "", nil},
		"expired":    {"2d", "", ErrKeyExpired},
		"stolen":     {"never", "1", ErrKeyRevoked},
		"superseded": {"never", "2", ErrKeyRevoked},
		"retired":    {"never", "3", ErrKeyRevoked},
	} {
		key := g.Key(name, "ed25519", "never", ago...)
		sub := g.Subkey(key, tc.expires, ago...)
		signature := g.Sign(sub+"!", text, ago...)
		if tc.reason != "" {
			g.RevokeSubkey(key, tc.reason)
		}
		s, err := Verify(New(exported(t, g, key)...), bytes.NewReader(text), signature)
		if !errors.Is(err, tc.want) || tc.want == nil && err != nil || s.Key != key {
			t.Errorf("%s: Verify = %q, %v, want %q, %v", name, s.Key, err, key, tc.want)
		}
	}
}

func TestClearsigned(t *testing.T) {
	t.Parallel()
	g := gpg.New(t)
	key := g.Key("Good <good@example.org>", "ed25519", "never")
	keys := New(exported(t, g)...)
	message := g.Run(text, "--local-user", key, "--clear-sign")
	outside := append([]byte("ffff  evil.qcow2\n"), message...)
	for name, tc := range map[string]struct {
		data []byte
		want error
	}{
		"whole":                {message, nil},
		"lines before it":      {outside, nil},
		"lines behind it":      {append(bytes.Clone(message), "ffff  evil.qcow2\n"...), nil},
		"crlf":                 {bytes.ReplaceAll(message, []byte("\n"), []byte("\r\n")), nil},
		"changed":              {bytes.Replace(message, []byte("0123"), []byte("0124"), 1), ErrBadSignature},
		"without a signature":  {message[:bytes.Index(message, []byte("-----BEGIN PGP SIGNATURE"))], ErrNoSignature},
		"not a signed message": {text, ErrNoSignature},
	} {
		got, s, err := Clearsigned(keys, tc.data)
		if !errors.Is(err, tc.want) || tc.want == nil && err != nil {
			t.Errorf("%s: %v, want %v", name, err, tc.want)
		}
		if err == nil && (s.Key != key || strings.TrimSpace(strings.ReplaceAll(string(got), "\r", "")) != strings.TrimSpace(string(text))) {
			t.Errorf("%s: %q signed by %s", name, got, s.Key)
		}
	}
}

func TestMinisign(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, "sums")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	run := func(args ...string) {
		t.Helper()
		if out, err := exec.Command("minisign", args...).CombinedOutput(); err != nil {
			t.Fatalf("minisign %q: %v\n%s", args, err, out)
		}
	}
	pub, sec, other := filepath.Join(dir, "k.pub"), filepath.Join(dir, "k.sec"), filepath.Join(dir, "o.pub")
	run("-G", "-W", "-p", pub, "-s", sec)
	run("-G", "-W", "-p", other, "-s", filepath.Join(dir, "o.sec"))
	run("-S", "-s", sec, "-m", file)
	hashed := read(t, file+".minisig")
	run("-S", "-l", "-s", sec, "-m", file)
	legacy := read(t, file+".minisig")
	keys, err := LoadFile(pub)
	if err != nil {
		t.Fatal(err)
	}
	others, err := LoadFile(other)
	if err != nil {
		t.Fatal(err)
	}
	forged := bytes.Replace(hashed, []byte("trusted comment: "), []byte("trusted comment: x"), 2)
	for name, tc := range map[string]struct {
		keys              []Key
		signature, signed []byte
		want              error
	}{
		"hashed":          {keys, hashed, text, nil},
		"legacy":          {keys, legacy, text, nil},
		"legacy, too big": {keys, legacy, make([]byte, maxUnhashed+1), ErrWeakSignature},
		"other text":      {keys, hashed, text[1:], ErrBadSignature},
		"other key":       {others, hashed, text, ErrUnknownKey},
		"forged comment":  {keys, forged, text, ErrBadSignature},
		"garbage":         {keys, []byte("untrusted comment: x\nAAAA\n"), text, ErrNoSignature},
	} {
		s, err := Verify(New(tc.keys...), bytes.NewReader(tc.signed), tc.signature)
		if !errors.Is(err, tc.want) || tc.want == nil && (err != nil || s.Key != keys[0].Fingerprint) {
			t.Errorf("%s: Verify = %+v, %v, want %v", name, s, err, tc.want)
		}
	}
	if _, err := LoadFile(sec); !errors.Is(err, ErrNoKey) && !errors.Is(err, ErrSecretKey) {
		t.Errorf("LoadFile of a secret key: %v", err)
	}
}

func read(t *testing.T, file string) []byte {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestKeyring(t *testing.T) {
	t.Parallel()
	g := gpg.New(t)
	one := g.Key("One <one@example.org>", "ed25519", "1y")
	two := g.Key("Two <two@example.org>", "ed25519", "never")
	dir := t.TempDir()
	both := append(g.Run(nil, "--armor", "--export", one), g.Run(nil, "--armor", "--export", two)...)
	for name, data := range map[string][]byte{"both.asc": both, "README": []byte("x"), "two.gpg": g.Run(nil, "--export", two)} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	keys, err := Load(dir, filepath.Join(dir, "missing"))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, k := range keys.All() {
		got = append(got, fmt.Sprint(filepath.Base(k.File), " ", k.Fingerprint, " ", k.Owner, " ", k.Expires.IsZero()))
	}
	want := []string{
		"both.asc " + one + " One <one@example.org> false", "both.asc " + two + " Two <two@example.org> true",
		"two.gpg " + two + " Two <two@example.org> true",
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if err := os.WriteFile(filepath.Join(dir, "bad.asc"), []byte("hello"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(dir); !errors.Is(err, ErrNoKey) || !strings.Contains(err.Error(), "bad.asc") {
		t.Errorf("a file without a key: %v", err)
	}
	if _, err := Parse("x", g.Run(nil, "--armor", "--export-secret-keys", two)); !errors.Is(err, ErrSecretKey) {
		t.Errorf("a secret key: %v", err)
	}
}

// TestOldKey takes the signature of a key that has vouched for its own name with SHA-1, as
// those of Ubuntu's images did long ago: what is signed today is what counts.
func TestOldKey(t *testing.T) {
	t.Parallel()
	g := gpg.New(t)
	old := g.Key("Old <old@example.org>", "rsa2048", "never", "--cert-digest-algo", "SHA1", "--allow-weak-digest-algos", "--faked-system-time", "20120101T000000!")
	if packets := string(g.Run(g.Run(nil, "--export", old), "--list-packets")); !strings.Contains(packets, "digest algo 2,") {
		t.Fatalf("the key is not as old as it should be:\n%s", packets)
	}
	signature := g.Sign(old, text, "--digest-algo", "SHA512")
	if s, err := Verify(New(exported(t, g, old)...), bytes.NewReader(text), signature); err != nil || s.Key != old {
		t.Errorf("Verify = %+v, %v", s, err)
	}
}
