package vm

import (
	"bytes"
	"crypto/sha256"
	"crypto/sha512"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"snf-image/tests/gpg"
	"snf-image/tests/harness"
	"snf-image/tests/images"
	"snf-image/tests/oracle"
	"snf-image/tests/require"
)

// shape is how a vendor publishes what proves an image called i.raw.
type shape struct {
	beside  map[string][]byte
	proof   string // of the report
	key     string // who signed
	changes string // the file beside it that is spoiled
}

// shapes are the vendors' ways, with keys of real programs.
func shapes(t *testing.T, g gpg.GPG, key string, image []byte, minisign func([]byte) []byte, mini string) map[string]shape {
	t.Helper()
	h2, h5 := fmt.Sprintf("%x", sha256.Sum256(image)), fmt.Sprintf("%x", sha512.Sum512(image))
	other := fmt.Sprintf("%x", sha256.Sum256(nil))
	star := []byte(other + " *another.img\n" + h2 + " *i.raw\n")
	bsd := fmt.Appendf(nil, "# i.raw: %d bytes\nSHA256 (i.raw) = %s\n", len(image), h2)
	build := []byte(h2 + "  i-Build7.42.raw\n")
	blocks := []byte("# MD5 HASH\n" + strings.Repeat("0d", 16) + "  i.raw\n# SHA512 HASH\n" + h5 + "  i.raw\n")
	type files = map[string][]byte
	return map[string]shape{
		"debian":   {files{"SHA512SUMS": []byte(h5 + "  i.raw\n")}, "checksums", "", "SHA512SUMS"},
		"ubuntu":   {files{"SHA256SUMS": star, "SHA256SUMS.gpg": g.Sign(key, star)}, "signed checksums", key, "SHA256SUMS.gpg"},
		"fedora":   {files{"CHECKSUM": g.ClearSign(key, bsd)}, "signed checksums", key, "CHECKSUM"},
		"rocky":    {files{"i.raw.CHECKSUM": bsd, "i.raw.CHECKSUM.asc": g.Sign(key, bsd, "--armor")}, "signed checksums", key, "i.raw.CHECKSUM"},
		"centos":   {files{"i.raw.SHA256SUM": bsd[bytes.IndexByte(bsd, '\n')+1:]}, "checksums", "", "i.raw.SHA256SUM"},
		"alma":     {files{"CHECKSUM": star, "CHECKSUM.asc": g.Sign(key, star, "--armor")}, "signed checksums", key, "CHECKSUM"},
		"opensuse": {files{"i.raw.sha256": build, "i.raw.sha256.asc": g.Sign(key, build, "--armor")}, "signed checksums", key, "i.raw.sha256"},
		"arch":     {files{"i.raw.SHA256": []byte(h2 + "  i.raw\n"), "i.raw.sig": g.Sign(key, image)}, "signature", key, "i.raw.sig"},
		"alpine":   {files{"i.raw.sha512": []byte(h5 + "\n"), "i.raw.asc": g.Sign(key, image, "--armor")}, "signature", key, "i.raw.sha512"},
		"flatcar":  {files{"i.raw.DIGESTS": g.ClearSign(key, blocks)}, "signed checksums", key, "i.raw.DIGESTS"},
		"freebsd":  {files{"CHECKSUM.SHA512": []byte("SHA512 (i.raw) = " + h5 + "\n")}, "checksums", "", "CHECKSUM.SHA512"},
		"minisign": {files{"SHA256SUMS": star, "SHA256SUMS.minisig": minisign(star)}, "signed checksums", mini, "SHA256SUMS.minisig"},
		"mini raw": {files{"i.raw.minisig": minisign(image)}, "signature", mini, "i.raw.minisig"},
	}
}

// flipped returns data with one bit changed, from byte i on anywhere in n bytes.
func flipped(data []byte, i, n int) []byte {
	data = bytes.Clone(data)
	data[i+rand.IntN(n)] ^= 1
	return data
}

// another returns data with another hexadecimal digit at i: with one bit changed it might be
// none, and the line no checksum, which is forgiven where nobody signed it.
func another(data []byte, i int) []byte {
	data = bytes.Clone(data)
	data[i] = map[bool]byte{true: '1', false: '0'}[data[i] == '0']
	return data
}

// spoiled changes a bit or a digit of a proof where it matters: not in a comment, or in what a signature
// does not cover.
func spoiled(t *testing.T, name string, data, image []byte) []byte {
	t.Helper()
	switch filepath.Ext(name) {
	case ".minisig":
		return flipped(data, bytes.IndexByte(data, '\n')+20, 60)
	case ".sig", ".gpg":
		return flipped(data, len(data)-32, 32)
	}
	for _, sum := range []string{fmt.Sprintf("%x", sha256.Sum256(image)), fmt.Sprintf("%x", sha512.Sum512(image))} {
		if i := bytes.Index(data, []byte(sum)); i >= 0 {
			return another(data, i+rand.IntN(len(sum)))
		}
	}
	t.Fatalf("%s has no digest of the image", name)
	return nil
}

// TestVendorsProofs deploys an image with what each vendor puts beside it, from a file and
// from a server, and refuses it after one bit was flipped in the image or in its proof.
func TestVendorsProofs(t *testing.T) {
	j := newJob(t, images.Primary("ext4", images.Debian()))
	g := gpg.New(t)
	key := g.Key("Vendor <vendor@example.org>", "ed25519", "never")
	pub, sec := filepath.Join(j.dir, "mini.pub"), filepath.Join(j.dir, "mini.sec")
	require.Run(t, "", "minisign", "-G", "-W", "-p", pub, "-s", sec)
	minisign := func(data []byte) []byte {
		file := j.file("to-sign", string(data))
		require.Run(t, "", "minisign", "-S", "-s", sec, "-m", file)
		return read(t, file+".minisig")
	}
	server := serveFiles(t, j.dir)
	in := site.With(t, "ALLOW_URL="+server.URL, "KEYRING_DIR="+filepath.Join(j.dir, "keys"))
	in.Run(t, "key", "add", "--as", "vendor", j.file("vendor.asc", string(g.Export()))).OK(t)
	mini, _, _ := strings.Cut(in.Run(t, "key", "add", pub).OK(t).Stdout, " ")
	image := make([]byte, 3<<20)
	_, _ = rand.NewChaCha8([32]byte{1}).Read(image)
	disk := filepath.Join(j.dir, "vendor.disk")
	n := 0
	deploy := func(beside map[string][]byte, image []byte, s shape) harness.Outcome {
		n++
		dir := filepath.Join(j.dir, fmt.Sprint(n))
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		for name, data := range beside {
			harness.File(t, dir, name, string(data))
		}
		at := harness.File(t, dir, "i.raw", string(image))
		if n%2 == 0 {
			at = fmt.Sprintf("%s/%d/i.raw", server.URL, n)
		}
		args := []string{"deploy", "--image", at, "--format", "raw", "--disk", disk, "--size", "4M", "--name", "web1", "--report", filepath.Join(j.dir, "report"), "--property", "EXCLUDE_ALL_TASKS=yes"}
		if s.key != "" {
			args = append(args, "--verify", "required", "--key", s.key)
		}
		return in.Run(t, args...)
	}
	for name, s := range shapes(t, g, key, image, minisign, mini) {
		deploy(s.beside, image, s).OK(t)
		v := readReport(t, filepath.Join(j.dir, "report")).Image.Verification
		if got := read(t, disk)[:len(image)]; !bytes.Equal(got, image) || v.Proof != s.proof || v.Key != s.key || v.Bound != (s.key != "") || !strings.HasPrefix(v.Digest, "sha") {
			t.Errorf("%s: the report says %+v", name, v)
		}
		changed := maps.Clone(s.beside)
		changed[s.changes] = spoiled(t, s.changes, changed[s.changes], image)
		for what, o := range map[string]harness.Outcome{"image": deploy(s.beside, flipped(image, 0, len(image)), s), "proof": deploy(changed, image, s)} {
			t.Log(name, what)
			o.Fails(t, 3, `verifying the image, on .*(its digest is not the one that was published|the signature does not match|it is not proved as it is demanded|not a file of checksums|signed by a key that is not in the keyring)`)
			oracle.EndsZero(t, disk)
		}
	}
	harness.NothingLeft(t, disk)
}

func read(t *testing.T, file string) []byte {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestRefusedKeys names what is wrong with a signature, and what to do about it.
func TestRefusedKeys(t *testing.T) {
	j := newJob(t, images.Primary("ext4", images.Debian()))
	g := gpg.New(t)
	const then = "--faked-system-time=20200101T000000!"
	good := g.Key("Good <good@example.org>", "ed25519", "never", then)
	other := g.Key("Other <other@example.org>", "ed25519", "never")
	weak := g.Key("Weak <weak@example.org>", "rsa2048", "never", then)
	expired := g.Key("Expired <expired@example.org>", "ed25519", "1y", then)
	revoked := g.Key("Revoked <revoked@example.org>", "ed25519", "never")
	in := site.With(t, "KEYRING_DIR="+filepath.Join(j.dir, "keys"))
	sums := fmt.Appendf(nil, "%x  %s\n", sha256.Sum256(read(t, j.image)), filepath.Base(j.image))
	byRevoked := g.Sign(revoked, sums)
	g.Revoke(revoked)
	in.Run(t, "key", "add", "--as", "all", j.file("all.asc", string(g.Export()))).OK(t)
	stranger := g.Key("Stranger <stranger@example.org>", "ed25519", "never")
	j.file("SHA256SUMS", string(sums))
	for name, tc := range map[string]struct {
		signature []byte
		key, want string
	}{
		"expired":           {g.Sign(expired, sums, then), expired, "the signing key has expired: key " + expired + "; get the vendor's present key"},
		"signature expired": {g.Sign(good, sums, then, "--default-sig-expire", "1d"), good, "the signature has expired: .*; get the vendor's present key and signature"},
		"revoked":           {byRevoked, revoked, "the signing key was revoked: .*; get the vendor's present key"},
		"unbound":           {g.Sign(other, sums), good, "it is signed by a key for other images: .*; compare the key"},
		"unknown":           {g.Sign(stranger, sums), good, "it is signed by a key that is not in the keyring: .*; compare the key"},
		"weak":              {g.Sign(weak, sums, "--digest-algo", "SHA1", "--allow-weak-digest-algos"), weak, "the signature or its key is too weak .*; ask the vendor"},
		"nobody bound":      {g.Sign(good, sums), "", `it is not proved as it is demanded: SHA256SUMS.gpg is by key ` + good + `, which is not bound to this image \(required is demanded by --verify\); give its digest`},
		"md5 alone":         {nil, good, "it has only digests that are too weak: md5 and sha1 prove nothing; ask the vendor"},
		"nothing":           {nil, "", `no checksum and no signature of it lies beside it \(required is demanded by --verify\)`},
	} {
		t.Log(name)
		j.file("SHA256SUMS.gpg", string(tc.signature))
		switch name {
		case "md5 alone":
			j.file("SHA256SUMS", strings.Repeat("0d", 16)+"  "+filepath.Base(j.image)+"\n")
		case "nothing":
			j.file("SHA256SUMS", "")
		default:
			j.file("SHA256SUMS", string(sums))
		}
		args := j.args("--verify", "required")
		if tc.key != "" {
			args = append(args, "--key", tc.key)
		}
		in.Run(t, args...).Fails(t, 3, "verifying the image, on "+j.image+": .*"+tc.want)
		if _, err := os.Stat(j.disk); err == nil {
			t.Errorf("%s: the disk was made", name)
		}
	}
}

// TestGanetiRequires creates an instance where the administrator requires proofs. Nothing
// that its owner can write satisfies that; the digest in the file of the variant does.
func TestGanetiRequires(t *testing.T) {
	j, d := newInstance(t, "VERIFY_IMAGES=required", "KEYRING_DIR=/nonexistent")
	right := fmt.Sprintf("sha256:%x", sha256.Sum256(read(t, j.image)))
	name := "image#" + strings.Replace(right, ":", "=", 1)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, `{"img_id": "%s", "img_digest": "%s", "verify_images": "none"}`, name, right)
	}))
	t.Cleanup(server.Close)
	variant := func(line string) {
		harness.File(t, filepath.Join(j.dir, "root/etc/ganeti/snf-image/variants"), "default.conf", "IMG_FORMAT=diskdump\nALLOW_URL="+server.URL+"\n"+line+"\n")
	}
	variant("")
	before := oracle.Digest(t, j.disk, 0, -1)
	for what, env := range map[string]map[string]string{
		"nothing lies beside it":     {"OSP_IMG_ID": "image"},
		"a digest of the owner":      {"OSP_IMG_ID": name},
		"parameters that are none":   {"OSP_IMG_ID": name, "OSP_IMG_DIGEST": right, "OSP_VERIFY_IMAGES": "none", "OSP_IMG_KEY": "0123456789ABCDEF"},
		"a digest from a config_url": {"OSP_CONFIG_URL": server.URL},
	} {
		t.Log(what)
		d.Call(t, "create", gnt(j.disk, osp(env))).Fails(t, 3, `it is not proved as it is demanded: .* \(required is demanded by VERIFY_IMAGES in /etc/default/snf-image:[0-9]+\); give its digest as IMG_DIGEST`)
		if oracle.Digest(t, j.disk, 0, -1) != before {
			t.Errorf("%s: the disk was changed", what)
		}
	}
	d.Call(t, "verify", osp(map[string]string{"OS_VARIANT": "default", "OSP_IMG_ID": name}), "parameters").Fails(t, 3, `its digest came with the parameters of the instance, whose owner cannot vouch for it, and no key is bound to it \(required is demanded by`)
	variant("IMG_DIGEST=sha256:" + strings.Repeat("ab", 32))
	d.Call(t, "create", gnt(j.disk, osp(nil))).Fails(t, 3, `IMG_DIGEST in .*default.conf:3: its digest is not the one that was given`)
	j.undone()
	variant("IMG_DIGEST=" + right)
	d.Call(t, "verify", osp(map[string]string{"OS_VARIANT": "default"}), "parameters").OK(t)
	d.Call(t, "create", gnt(j.disk, osp(nil))).OK(t)
	j.done()
	v := archived(t, d, "inst1.gnt.test.json").Image.Verification
	if v.Demand != "required" || v.Proof != "digest" || v.Digest != right || !strings.HasPrefix(v.GivenBy, "IMG_DIGEST in ") || !strings.HasPrefix(v.DemandedBy, "VERIFY_IMAGES in ") {
		t.Errorf("the report says %+v", v)
	}
}
