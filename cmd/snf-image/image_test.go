package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"snf-image/tests/gpg"
)

// TestVerifiedImage follows an administrator: the vendor's key goes into the keyring, an
// image with signed checksums is verified, and what is wrong about it is told.
func TestVerifiedImage(t *testing.T) {
	t.Parallel()
	vendor := gpg.New(t)
	dir := t.TempDir()
	write := func(name, text string) string {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return filepath.Join(dir, name)
	}
	conf := write("conf", "KEYRING_DIR="+filepath.Join(dir, "keys")+"\n")
	does := func(want int, words string, args ...string) string {
		t.Helper()
		var out, errs strings.Builder
		err := run(t.Context(), nil, &out, &errs, append(args, "--config", conf))
		printFailure(&errs, err)
		if code := exitCode(err); code != want || !strings.Contains(out.String()+errs.String(), words) {
			t.Errorf("%q: exit code %d, want %d with %q\n%s%s", args, code, want, words, &out, &errs)
		}
		return out.String()
	}

	signer := vendor.Key("Vendor <vendor@example.org>", "ed25519", "never")
	key := write("vendor.asc", string(vendor.Export()))
	public, err := os.ReadFile("../../internal/host/keyring/testdata/mini.pub")
	if err != nil {
		t.Fatal(err)
	}
	mini := write("mini.pub", string(public))
	digest := sha256.Sum256([]byte("image"))
	image := write("i.qcow2", "image")
	does(3, "no checksum and no signature", "image", "verify", image)
	if err := syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o600); err != nil {
		t.Fatal(err)
	}
	does(3, "neither a file nor a block device", "image", "verify", filepath.Join(dir, "pipe"))
	sums := write("SHA256SUMS", hex.EncodeToString(digest[:])+" *i.qcow2\n")
	does(0, "nobody signed it", "image", "verify", image)
	vendor.Run(nil, "--local-user", signer, "--detach-sign", "--output", sums+".gpg", sums)
	does(0, "not in the keyring", "image", "verify", image)

	fingerprint, _, _ := strings.Cut(does(0, "Vendor <vendor@example.org>", "key", "add", key), " ")
	does(2, "the keyring has this key", "key", "add", "--as", "again", key)
	does(2, "a name has letters", "key", "add", "--as", "../x", key)
	does(2, "not a public key", "key", "add", sums)
	does(0, "vendor.asc", "key", "list")
	does(2, `"failure"`, "key", "add", "--json", key)
	does(2, `"failure"`, "key", "rm", "--json", "stranger")
	if as := does(0, "", "key", "add", "--json", "--as", "mini", mini); !strings.Contains(as, `mini.pub"`) || !strings.HasPrefix(as, "[") {
		t.Errorf("key add --json: %s", as)
	}
	does(0, `mini.pub"`, "key", "rm", "--json", "mini")
	write("keys/broken.asc", "hello")
	does(2, filepath.Join(dir, "keys/broken.asc")+": not a public key", "key", "list")
	does(0, "broken.asc", "key", "rm", "broken")
	does(0, "signed by "+fingerprint, "image", "verify", image)
	does(2, "no such key", "image", "verify", "--key", strings.Repeat("AB", 20), image)
	if os.Geteuid() == 0 { // else it is nobody's to judge
		for _, file := range []string{"keys", "keys/vendor.asc"} {
			path := filepath.Join(dir, file)
			st, err := os.Stat(path)
			if err := errors.Join(err, os.Chmod(path, 0o777)); err != nil {
				t.Fatal(err)
			}
			does(10, "others than root may change it", "image", "verify", image)
			if err := os.Chmod(path, st.Mode().Perm()); err != nil {
				t.Fatal(err)
			}
		}
	}
	var found verified
	if err := json.Unmarshal([]byte(does(0, "", "image", "verify", "--json", "--key", fingerprint, image)), &found); err != nil || found.Key != fingerprint || found.Digest != hex.EncodeToString(digest[:]) {
		t.Errorf("--json: %+v, %v", found, err)
	}

	write("i.qcow2", "imagf")
	does(3, "do not use this one", "image", "verify", image)
	write("SHA256SUMS", hex.EncodeToString(digest[:])+"  i.qcow2\n")
	does(3, "the signature does not match", "image", "verify", image)
	does(0, fingerprint, "key", "rm", fingerprint)
	does(2, "no such key", "key", "rm", "vendor")
	if left, err := os.ReadDir(filepath.Join(dir, "keys")); err != nil || len(left) > 0 {
		t.Errorf("left in the keyring: %v, %v", left, err)
	}
}
