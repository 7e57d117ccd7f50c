package trust

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"snf-image/internal/host/keyring"
	"snf-image/internal/host/sums"
	"snf-image/tests/gpg"
)

var (
	hex256 = strings.Repeat("0b", 32)
	hexMD5 = strings.Repeat("0d", 16)
	other  = strings.Repeat("ee", 32)
)

// ring returns the public keys of g.
func ring(t *testing.T, g gpg.GPG) keyring.Keys {
	t.Helper()
	keys, err := keyring.Parse("keys.asc", g.Export())
	if err != nil {
		t.Fatal(err)
	}
	return keyring.New(keys...)
}

// beside is the directory of a mirror.
type beside map[string][]byte

func (b beside) read(_ context.Context, name string) ([]byte, error) {
	if data, ok := b[name]; ok {
		return data, nil
	}
	return nil, fs.ErrNotExist
}

var imageBytes = []byte("the bytes of an image")

// TestVendors finds the proof in the shape of each vendor, with keys of our own.
func TestVendors(t *testing.T) {
	t.Parallel()
	g := gpg.New(t)
	key := g.Key("Vendor <vendor@example.org>", "ed25519", "never")
	keys := ring(t, g)
	d2, d5 := sha256.Sum256(imageBytes), sha512.Sum512(imageBytes)
	h2, h5 := hex.EncodeToString(d2[:]), hex.EncodeToString(d5[:])
	detach := func(data []byte, more ...string) []byte {
		return g.Run(data, append(more, "--local-user", key, "--output", "-", "--detach-sign")...)
	}
	clear := func(data string) []byte { return g.Run([]byte(data), "--local-user", key, "--clear-sign") }
	gnu := []byte(h2 + " *" + "i.img\n" + other + " *x.img\n")
	bsd := []byte("# i.qcow2: 21 bytes\nSHA256 (i.qcow2) = " + h2 + "\n")
	digests := "# MD5 HASH\n" + hexMD5 + "  i.bin\n# SHA512 HASH\n" + h5 + "  i.bin\n"

	for name, tc := range map[string]struct {
		image  string
		files  beside
		known  Claim // what the catalogue says of it
		digest string
		signed bool
	}{
		"Debian":          {image: "i.qcow2", files: beside{"SHA512SUMS": []byte(h5 + "  i.qcow2\n")}, digest: h5},
		"Ubuntu":          {image: "i.img", files: beside{"SHA256SUMS": gnu, "SHA256SUMS.gpg": detach(gnu)}, digest: h2, signed: true},
		"Fedora":          {image: "i.qcow2", files: beside{"Fedora-CHECKSUM": clear(string(bsd))}, known: Claim{Sums: "Fedora-CHECKSUM"}, digest: h2, signed: true},
		"Rocky":           {image: "i.qcow2", files: beside{"i.qcow2.CHECKSUM": bsd, "i.qcow2.CHECKSUM.asc": detach(bsd, "--armor")}, digest: h2, signed: true},
		"CentOS Stream":   {image: "i.qcow2", files: beside{"i.qcow2.SHA256SUM": bsd}, digest: h2},
		"openSUSE":        {image: "i.qcow2", files: beside{"i.qcow2.sha256": []byte(h2 + "  i-Build1.2.qcow2\n")}, digest: h2},
		"Arch":            {image: "i.qcow2", files: beside{"i.qcow2.sig": detach(imageBytes)}, signed: true},
		"Arch, both":      {image: "i.qcow2", files: beside{"i.qcow2.SHA256": []byte(h2 + "  i.qcow2\n"), "i.qcow2.sig": detach(imageBytes)}, digest: h2, signed: true},
		"Alpine":          {image: "i.qcow2", files: beside{"i.qcow2.sha512": []byte(h5), "i.qcow2.asc": detach(imageBytes, "--armor")}, digest: h5, signed: true},
		"Flatcar":         {image: "i.bin", files: beside{"i.bin.DIGESTS": clear(digests)}, digest: h5, signed: true},
		"not found pages": {image: "i.img", files: beside{"i.img.sha512": []byte("<html>"), "SHA256SUMS": gnu, "SHA256SUMS.gpg": []byte("<html>"), "SHA256SUMS.asc": detach(gnu)}, digest: h2, signed: true},
		"nothing":         {image: "i.img", files: beside{"x": nil}},
	} {
		tc.known.Keys = []string{key}
		c, err := Find(t.Context(), keys, tc.known, Place{Names: []string{tc.image}, Read: tc.files.read})
		var p Proof
		if err == nil {
			p, err = c.Read(bytes.NewReader(imageBytes))
		}
		digest := tc.digest
		if digest == "" && tc.signed { // which needs none
			digest = h2
		}
		dated := !tc.signed || time.Since(p.Signer.Date).Abs() < time.Hour
		if err != nil || p.Digest != digest || (p.Signer.Key == key) != tc.signed || p.Bound != tc.signed || len(p.Warnings) > 0 || !dated {
			t.Errorf("%s: %+v, %v", name, p, err)
		}
		if !c.Needed() {
			continue
		}
		changed := bytes.Clone(imageBytes)
		changed[3] ^= 1
		c, err = Find(t.Context(), keys, tc.known, Place{Names: []string{tc.image}, Read: tc.files.read, Remote: true})
		if err == nil {
			_, err = c.Read(bytes.NewReader(changed))
		}
		if !errors.Is(err, ErrMismatch) && !errors.Is(err, keyring.ErrBadSignature) {
			t.Errorf("%s, one bit flipped: %v", name, err)
		}
	}
}

// TestWrongProofs changes one thing of a proof that is right.
func TestWrongProofs(t *testing.T) {
	t.Parallel()
	g := gpg.New(t)
	key := g.Key("Vendor <vendor@example.org>", "ed25519", "never")
	stranger := g.Key("Stranger <stranger@example.org>", "ed25519", "never")
	keys := ring(t, g)
	gnu := []byte(hex256 + "  i.img\n")
	by := func(who string, data []byte) []byte {
		return g.Run(data, "--local-user", who, "--output", "-", "--detach-sign")
	}
	right := beside{"SHA256SUMS": gnu, "SHA256SUMS.gpg": by(key, gnu)}
	with := func(name string, data []byte) beside {
		b := maps.Clone(right)
		b[name] = data
		return b
	}
	for name, tc := range map[string]struct {
		files      beside
		keys       keyring.Keys
		free       bool // no key is bound to the image
		sums, sign string
		want       error
		warning    string
		digest     bool
	}{
		"right":                    {files: right, keys: keys, digest: true},
		"sums changed":             {files: with("SHA256SUMS", []byte(other+"  i.img\n")), keys: keys, want: keyring.ErrBadSignature},
		"signature of another key": {files: with("SHA256SUMS.gpg", by(stranger, gnu)), keys: keys, want: ErrUnbound},
		"key is not there":         {files: with("SHA256SUMS.gpg", by(stranger, gnu)), keys: keys.Bound([]string{key}), want: keyring.ErrUnknownKey},
		"no key is bound":          {files: with("SHA256SUMS.gpg", by(stranger, gnu)), keys: keys.Bound([]string{key}), free: true, warning: "not in the keyring", digest: true},
		"a key of the ring":        {files: with("SHA256SUMS.gpg", by(stranger, gnu)), keys: keys, free: true, digest: true},
		"sums are missing":         {files: beside{}, keys: keys, sums: "SHA256SUMS", want: ErrMissing},
		"signature is missing":     {files: beside{"SHA256SUMS": gnu}, keys: keys, sums: "SHA256SUMS", sign: "SHA256SUMS.gpg", want: ErrMissing},
		"sums are a page":          {files: beside{"SHA256SUMS": []byte("<html>")}, keys: keys, sums: "SHA256SUMS", want: sums.ErrNoSums},
		"no line for the image":    {files: beside{"SHA256SUMS": []byte(hex256 + "  x.img\n")}, keys: keys, sums: "SHA256SUMS", want: sums.ErrNoEntry},
		"sums are weak":            {files: with("SHA256SUMS", []byte(hexMD5+"  i.img\n")), keys: keys, want: sums.ErrWeak},
		"reading fails":            {files: nil, keys: keys, want: errRead},
	} {
		claim := Claim{Sums: tc.sums, Signature: tc.sign}
		place := Place{Names: []string{"i.img"}, Read: tc.files.read}
		if tc.files == nil {
			place.Read = func(context.Context, string) ([]byte, error) { return nil, errRead }
		}
		if !tc.free {
			claim.Keys = []string{strings.ToLower(key[:20]) + " " + key[20:]}
		}
		c, err := Find(t.Context(), tc.keys, claim, place)
		p := c.Proof()
		if !errors.Is(err, tc.want) || tc.want == nil && err != nil {
			t.Errorf("%s: %v, want %v", name, err, tc.want)
		}
		warned := slices.ContainsFunc(p.Warnings, func(w string) bool { return strings.Contains(w, tc.warning) })
		if (p.Sums != "") != tc.digest || warned != (tc.warning != "") {
			t.Errorf("%s: %+v", name, p)
		}
	}
}

var errRead = errors.New("the server is down")

// TestOnlyStranger verifies an image that has no proof but the signature of a key nobody
// here knows, which anybody can make for any image.
func TestOnlyStranger(t *testing.T) {
	t.Parallel()
	g := gpg.New(t)
	stranger := g.Key("Stranger <stranger@example.org>", "ed25519", "never")
	dir := t.TempDir()
	write := func(name string, data []byte) {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("i.img", imageBytes)
	write("i.img.sig", g.Run(imageBytes, "--local-user", stranger, "--output", "-", "--detach-sign"))
	image := filepath.Join(dir, "i.img")
	if p, err := File(t.Context(), image, keyring.New(), Claim{}); !errors.Is(err, keyring.ErrUnknownKey) || len(p.Warnings) != 1 {
		t.Errorf("signed by a stranger alone: %+v, %v", p, err)
	}
	if p, err := File(t.Context(), image, ring(t, g), Claim{}); err != nil || p.Signer.Key != stranger {
		t.Errorf("signed by a key of the ring: %+v, %v", p, err)
	}
	sum := sha256.Sum256(imageBytes)
	write("i.img.sha256", []byte(hex.EncodeToString(sum[:])))
	if p, err := File(t.Context(), image, keyring.New(), Claim{}); err != nil || p.Signer.Key != "" || len(p.Warnings) != 1 {
		t.Errorf("with a checksum: %+v, %v", p, err)
	}
}

// TestDemand says what satisfies whom: an administrator's digest and a bound key satisfy
// everybody, what an instance's owner gave nobody who requires a proof.
func TestDemand(t *testing.T) {
	t.Parallel()
	g := gpg.New(t)
	key := g.Key("Vendor <vendor@example.org>", "ed25519", "never")
	all := ring(t, g)
	sum := sha256.Sum256(imageBytes)
	gnu := []byte(hex.EncodeToString(sum[:]) + "  i.img\n")
	unsigned := beside{"SHA256SUMS": gnu}
	signed := beside{"SHA256SUMS": gnu, "SHA256SUMS.gpg": g.Run(gnu, "--output", "-", "--detach-sign")}
	over := beside{"i.img.sig": g.Run(imageBytes, "--output", "-", "--detach-sign")}
	right, wrong := hex.EncodeToString(sum[:]), other
	admin := func(digest string) []Digest { return []Digest{{"sha256", digest, "IMG_DIGEST", ""}} }
	owner := func(digest string) []Digest { return []Digest{{"sha256", digest, "img_id", ByTenant}} }
	bound := []string{key}
	for name, tc := range map[string]struct {
		demand Demand
		claim  Claim
		files  beside
		keys   keyring.Keys
		want   error
		kind   Kind
		early  bool // it is known without the image
	}{
		"nothing":                     {demand: IfPresent},
		"nothing, by default":         {},
		"nothing, none":               {demand: None},
		"nothing, required":           {demand: Required, want: ErrDemand, early: true},
		"sums":                        {demand: IfPresent, files: unsigned, kind: UnsignedSums},
		"sums, none":                  {demand: None, files: beside{"SHA256SUMS": []byte(other + "  i.img\n")}},
		"sums, required":              {demand: Required, files: unsigned, want: ErrDemand, kind: UnsignedSums, early: true},
		"wrong sums":                  {demand: IfPresent, files: beside{"SHA256SUMS": []byte(other + "  i.img\n")}, want: ErrMismatch, kind: UnsignedSums},
		"signed, unbound":             {demand: IfPresent, files: signed, keys: all, kind: SignedSums},
		"signed, unbound, required":   {demand: Required, files: signed, keys: all, want: ErrDemand, kind: SignedSums, early: true},
		"signed, bound, required":     {demand: Required, files: signed, keys: all, claim: Claim{Keys: bound}, kind: SignedSums},
		"over, bound, required":       {demand: Required, files: over, keys: all, claim: Claim{Keys: bound}, kind: SignedImage},
		"over, unbound, required":     {demand: Required, files: over, keys: all, want: ErrDemand, early: true},
		"over, unknown":               {demand: IfPresent, files: over},
		"sums, bound, required":       {demand: Required, files: unsigned, keys: all, claim: Claim{Keys: bound}, want: ErrDemand, kind: UnsignedSums, early: true},
		"sums, bound":                 {demand: IfPresent, files: unsigned, keys: all, claim: Claim{Keys: bound}, kind: UnsignedSums},
		"administrator":               {demand: Required, claim: Claim{Digests: admin(right)}, kind: GivenDigest},
		"administrator, wrong":        {demand: Required, claim: Claim{Digests: admin(wrong)}, want: ErrGiven, kind: GivenDigest},
		"administrator, wrong, none":  {demand: None, claim: Claim{Digests: admin(wrong)}, want: ErrGiven, kind: GivenDigest},
		"administrator, old sums":     {demand: IfPresent, claim: Claim{Digests: admin(right)}, files: beside{"SHA256SUMS": []byte(other + "  i.img\n")}, kind: GivenDigest},
		"owner":                       {demand: IfPresent, claim: Claim{Digests: owner(right)}, kind: GivenDigest},
		"owner, wrong":                {demand: IfPresent, claim: Claim{Digests: owner(wrong)}, want: ErrGiven, kind: GivenDigest},
		"owner, required":             {demand: Required, claim: Claim{Digests: owner(right)}, want: ErrDemand, kind: GivenDigest, early: true},
		"owner, sums, required":       {demand: Required, claim: Claim{Digests: owner(right)}, files: unsigned, want: ErrDemand, kind: GivenDigest, early: true},
		"owner against sums":          {demand: IfPresent, claim: Claim{Digests: owner(right)}, files: beside{"SHA256SUMS": []byte(other + "  i.img\n")}, want: ErrMismatch, kind: GivenDigest},
		"owner against administrator": {demand: Required, claim: Claim{Digests: append(owner(wrong), admin(right)...)}, want: ErrGiven, kind: GivenDigest},
		"owner, bound key":            {demand: Required, claim: Claim{Digests: owner(right), Keys: bound}, files: signed, keys: all, kind: SignedSums},
	} {
		tc.claim.Demand, tc.claim.By = tc.demand, "VERIFY_IMAGES"
		c, err := Find(t.Context(), tc.keys, tc.claim, Place{Names: []string{"i.img"}, Read: tc.files.read})
		if (err != nil) != tc.early {
			t.Errorf("%s: without the image %v, want an error: %v", name, err, tc.early)
		}
		p := c.Proof()
		if err == nil {
			p, err = c.Read(bytes.NewReader(imageBytes))
		}
		if !errors.Is(err, tc.want) || tc.want == nil && err != nil || p.Kind != tc.kind {
			t.Errorf("%s: %+v, %v, want %s, %v", name, p, err, tc.kind, tc.want)
		}
	}
}

// TestErrorPassword: the address of a proof may have the password of a mirror.
func TestErrorPassword(t *testing.T) {
	t.Parallel()
	e := &Error{"https://me:geheim@example.org/SUMS", ErrMissing}
	if got := e.Error(); got != "https://example.org/SUMS: "+ErrMissing.Error() {
		t.Errorf("Error() = %q", got)
	}
}

// TestMirrorsPassword: what is said about a proof on a mirror does not say its password.
func TestMirrorsPassword(t *testing.T) {
	t.Parallel()
	const at = "https://user:canary@m.example/"
	g := gpg.New(t)
	key := g.Key("Vendor <vendor@example.org>", "ed25519", "never")
	text := []byte(hex256 + "  i.img\n")
	for name, files := range map[string]beside{
		"missing":       {},
		"nobody signed": {at + "SUMS": text},
		"not bound":     {at + "SUMS": text, at + "SUMS.asc": g.Sign(key, text)},
		"a stranger's":  {at + "SUMS": text, at + "SUMS.asc": g.Sign(g.Key("Stranger", "ed25519", "never"), text)},
	} {
		c, err := Find(t.Context(), keyring.New(ring(t, g).Bound([]string{key}).All()...), Claim{Sums: at + "SUMS", Demand: Required}, Place{Names: []string{"i.img"}, Read: files.read, Remote: true})
		if said := fmt.Sprint(err, c.Proof().Warnings); err == nil || strings.Contains(said, "canary") || !strings.Contains(said, "SUMS") {
			t.Errorf("%s: %s", name, said)
		}
	}
}
