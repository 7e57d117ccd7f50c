package trust

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

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
	g := newGnuPG(t)
	key := g.key("Vendor <vendor@example.org>", "ed25519", "never")
	keys := NewKeys(g.export()...)
	d2, d5 := sha256.Sum256(imageBytes), sha512.Sum512(imageBytes)
	h2, h5 := hex.EncodeToString(d2[:]), hex.EncodeToString(d5[:])
	detach := func(data []byte, more ...string) []byte {
		return g.run(data, append(more, "--local-user", key, "--output", "-", "--detach-sign")...)
	}
	clear := func(data string) []byte { return g.run([]byte(data), "--local-user", key, "--clear-sign") }
	gnu := []byte(h2 + " *" + "i.img\n" + other + " *x.img\n")
	bsd := []byte("# i.qcow2: 21 bytes\nSHA256 (i.qcow2) = " + h2 + "\n")
	digests := "# MD5 HASH\n" + hexMD5 + "  i.bin\n# SHA512 HASH\n" + h5 + "  i.bin\n"

	for name, tc := range map[string]struct {
		image  string
		files  beside
		known  Image // what the catalogue says of it
		digest string
		signed bool
	}{
		"Debian":          {image: "i.qcow2", files: beside{"SHA512SUMS": []byte(h5 + "  i.qcow2\n")}, digest: h5},
		"Ubuntu":          {image: "i.img", files: beside{"SHA256SUMS": gnu, "SHA256SUMS.gpg": detach(gnu)}, digest: h2, signed: true},
		"Fedora":          {image: "i.qcow2", files: beside{"Fedora-CHECKSUM": clear(string(bsd))}, known: Image{Sums: "Fedora-CHECKSUM"}, digest: h2, signed: true},
		"Rocky":           {image: "i.qcow2", files: beside{"i.qcow2.CHECKSUM": bsd, "i.qcow2.CHECKSUM.asc": detach(bsd, "--armor")}, digest: h2, signed: true},
		"CentOS Stream":   {image: "i.qcow2", files: beside{"i.qcow2.SHA256SUM": bsd}, digest: h2},
		"openSUSE":        {image: "i.qcow2", files: beside{"i.qcow2.sha256": []byte(h2 + "  build-1.2.qcow2\n")}, digest: h2},
		"Arch":            {image: "i.qcow2", files: beside{"i.qcow2.sig": detach(imageBytes)}, signed: true},
		"Arch, both":      {image: "i.qcow2", files: beside{"i.qcow2.SHA256": []byte(h2 + "  i.qcow2\n"), "i.qcow2.sig": detach(imageBytes)}, digest: h2, signed: true},
		"Alpine":          {image: "i.qcow2", files: beside{"i.qcow2.sha512": []byte(h5), "i.qcow2.asc": detach(imageBytes, "--armor")}, digest: h5, signed: true},
		"Flatcar":         {image: "i.bin", files: beside{"i.bin.DIGESTS": clear(digests)}, digest: h5, signed: true},
		"not found pages": {image: "i.img", files: beside{"i.img.sha512": []byte("<html>"), "SHA256SUMS": gnu, "SHA256SUMS.gpg": []byte("<html>"), "SHA256SUMS.asc": detach(gnu)}, digest: h2, signed: true},
		"nothing":         {image: "i.img", files: beside{"x": nil}},
	} {
		image := tc.known
		image.Names, image.Read, image.Bound = []string{tc.image}, tc.files.read, []string{key}
		p, err := Find(t.Context(), keys, image)
		if err == nil && p.OverImage != nil {
			err = p.CheckImage(keys, image, bytes.NewReader(imageBytes))
		}
		if err != nil || p.Sum.Hex != tc.digest || (p.Signer.Key == key) != tc.signed || len(p.Warnings) > 0 {
			t.Errorf("%s: %+v, %v", name, p, err)
		}
	}
}

// TestWrongProofs changes one thing of a proof that is right.
func TestWrongProofs(t *testing.T) {
	t.Parallel()
	g := newGnuPG(t)
	key := g.key("Vendor <vendor@example.org>", "ed25519", "never")
	stranger := g.key("Stranger <stranger@example.org>", "ed25519", "never")
	keys := NewKeys(g.export()...)
	gnu := []byte(hex256 + "  i.img\n")
	by := func(who string, data []byte) []byte {
		return g.run(data, "--local-user", who, "--output", "-", "--detach-sign")
	}
	right := beside{"SHA256SUMS": gnu, "SHA256SUMS.gpg": by(key, gnu)}
	with := func(name string, data []byte) beside {
		b := maps.Clone(right)
		b[name] = data
		return b
	}
	for name, tc := range map[string]struct {
		files      beside
		keys       Keys
		free       bool // no key is bound to the image
		sums, sign string
		want       error
		warning    string
		digest     bool
	}{
		"right":                    {files: right, keys: keys, digest: true},
		"sums changed":             {files: with("SHA256SUMS", []byte(other+"  i.img\n")), keys: keys, want: ErrBadSignature},
		"signature of another key": {files: with("SHA256SUMS.gpg", by(stranger, gnu)), keys: keys, want: ErrUnbound},
		"key is not there":         {files: with("SHA256SUMS.gpg", by(stranger, gnu)), keys: keys.Bound([]string{key}), want: ErrUnknownKey},
		"no key is bound":          {files: with("SHA256SUMS.gpg", by(stranger, gnu)), keys: keys.Bound([]string{key}), free: true, warning: "not in the keyring", digest: true},
		"a key of the ring":        {files: with("SHA256SUMS.gpg", by(stranger, gnu)), keys: keys, free: true, digest: true},
		"sums are missing":         {files: beside{}, keys: keys, sums: "SHA256SUMS", want: fs.ErrNotExist},
		"signature is missing":     {files: beside{"SHA256SUMS": gnu}, keys: keys, sums: "SHA256SUMS", sign: "SHA256SUMS.gpg", want: fs.ErrNotExist},
		"sums are a page":          {files: beside{"SHA256SUMS": []byte("<html>")}, keys: keys, sums: "SHA256SUMS", want: ErrNoSums},
		"no line for the image":    {files: beside{"SHA256SUMS": []byte(hex256 + "  x.img\n")}, keys: keys, sums: "SHA256SUMS", want: ErrNoEntry},
		"sums are weak":            {files: with("SHA256SUMS", []byte(hexMD5+"  i.img\n")), keys: keys, want: ErrWeak},
		"reading fails":            {files: nil, keys: keys, want: errRead},
	} {
		image := Image{Names: []string{"i.img"}, Read: tc.files.read, Sums: tc.sums, Signature: tc.sign}
		if tc.files == nil {
			image.Read = func(context.Context, string) ([]byte, error) { return nil, errRead }
		}
		if !tc.free {
			image.Bound = []string{strings.ToLower(key[:20]) + " " + key[20:]}
		}
		p, err := Find(t.Context(), tc.keys, image)
		if !errors.Is(err, tc.want) || tc.want == nil && err != nil {
			t.Errorf("%s: %v, want %v", name, err, tc.want)
		}
		warned := slices.ContainsFunc(p.Warnings, func(w string) bool { return strings.Contains(w, tc.warning) })
		if (p.Sum.Hex == hex256) != tc.digest || warned != (tc.warning != "") {
			t.Errorf("%s: %+v", name, p)
		}
	}
}

var errRead = errors.New("the server is down")

func TestWrongSignatureOverImage(t *testing.T) {
	t.Parallel()
	g := newGnuPG(t)
	key := g.key("Vendor <vendor@example.org>", "ed25519", "never")
	keys := NewKeys(g.export()...)
	files := beside{"i.img.sig": g.run(imageBytes, "--local-user", key, "--output", "-", "--detach-sign")}
	image := Image{Names: []string{"i.img"}, Read: files.read, Bound: []string{key}}
	p, err := Find(t.Context(), keys, image)
	if err != nil {
		t.Fatal(err)
	}
	changed := bytes.Clone(imageBytes)
	changed[0] ^= 1
	if err := p.CheckImage(keys, image, bytes.NewReader(changed)); !errors.Is(err, ErrBadSignature) {
		t.Errorf("a changed image: %v", err)
	}
}

// TestOnlyStranger verifies an image that has no proof but the signature of a key nobody
// here knows, which anybody can make for any image.
func TestOnlyStranger(t *testing.T) {
	t.Parallel()
	g := newGnuPG(t)
	stranger := g.key("Stranger <stranger@example.org>", "ed25519", "never")
	dir := t.TempDir()
	write := func(name string, data []byte) {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("i.img", imageBytes)
	write("i.img.sig", g.run(imageBytes, "--local-user", stranger, "--output", "-", "--detach-sign"))
	image := filepath.Join(dir, "i.img")
	if p, err := File(t.Context(), image, NewKeys(), nil); !errors.Is(err, ErrUnknownKey) || len(p.Warnings) != 1 {
		t.Errorf("signed by a stranger alone: %+v, %v", p, err)
	}
	if p, err := File(t.Context(), image, NewKeys(g.export()...), nil); err != nil || p.Signer.Key != stranger {
		t.Errorf("signed by a key of the ring: %+v, %v", p, err)
	}
	sum := sha256.Sum256(imageBytes)
	write("i.img.sha256", []byte(hex.EncodeToString(sum[:])))
	if p, err := File(t.Context(), image, NewKeys(), nil); err != nil || p.Signer.Key != "" || len(p.Warnings) != 1 {
		t.Errorf("with a checksum: %+v, %v", p, err)
	}
}
