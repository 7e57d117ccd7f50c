package deploy

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"snf-image/internal/host/fetch"
	"snf-image/internal/host/keyring"
	"snf-image/internal/host/source"
	"snf-image/internal/host/trust"
	"snf-image/internal/report"
	"snf-image/internal/spec"
	"snf-image/tests/require"
)

// signing makes a key of minisign, and a signature of data with it.
func signing(t *testing.T, data []byte) (key keyring.Key, signature []byte) {
	t.Helper()
	dir := t.TempDir()
	pub, sec, file := filepath.Join(dir, "k.pub"), filepath.Join(dir, "k.sec"), filepath.Join(dir, "data")
	if err := os.WriteFile(file, data, 0o600); err != nil {
		t.Fatal(err)
	}
	require.Tool(t, "minisign")
	require.Run(t, "", "minisign", "-G", "-W", "-p", pub, "-s", sec)
	require.Run(t, "", "minisign", "-S", "-s", sec, "-m", file)
	keys, err := keyring.LoadFile(pub)
	if err != nil {
		t.Fatal(err)
	}
	signature, err = os.ReadFile(file + ".minisig")
	if err != nil {
		t.Fatal(err)
	}
	return keys[0], signature
}

// TestProofs deploys an image, from a file and from a server, with what proves it beside it
// and with the image or the proof changed: the helper never gets what is refused.
func TestProofs(t *testing.T) {
	t.Parallel()
	key, signature := signing(t, raw())
	sums := fmt.Appendf(nil, "%x  image\n", sha256.Sum256(raw()))
	wrong := fmt.Appendf(nil, "%x  image\n", sha256.Sum256(nil))
	given := trust.Digest{Algorithm: "sha256", Hex: fmt.Sprintf("%x", sha256.Sum256(raw())), By: "IMG_DIGEST"}
	bound := []string{key.Fingerprint}
	required := trust.Claim{Demand: trust.Required, By: "the test"}
	with := func(c trust.Claim, keys []string, digests ...trust.Digest) trust.Claim {
		c.Keys, c.Digests = keys, digests
		return c
	}
	for name, tc := range map[string]struct {
		files map[string][]byte
		claim trust.Claim
		flip  bool // a bit of the image
		kind  trust.Kind
		want  error
		early bool // the disk is not touched
		// remote does it with a server, too.
		remote bool
	}{
		"nothing":                   {remote: true},
		"sums":                      {remote: true, files: map[string][]byte{"SHA256SUMS": sums}, kind: trust.UnsignedSums},
		"sums, flipped":             {remote: true, files: map[string][]byte{"SHA256SUMS": sums}, flip: true, kind: trust.UnsignedSums, want: trust.ErrMismatch},
		"wrong sums":                {files: map[string][]byte{"SHA256SUMS": wrong}, kind: trust.UnsignedSums, want: trust.ErrMismatch},
		"wrong sums, none":          {files: map[string][]byte{"SHA256SUMS": wrong}, claim: trust.Claim{Demand: trust.None}},
		"signature":                 {remote: true, files: map[string][]byte{"image.minisig": signature}, claim: with(required, bound), kind: trust.SignedImage},
		"signature, flipped":        {remote: true, files: map[string][]byte{"image.minisig": signature}, claim: with(required, bound), flip: true, want: keyring.ErrBadSignature},
		"signature, other key":      {files: map[string][]byte{"image.minisig": signature}, claim: with(required, []string{"00000000DEADBEEF"}), want: trust.ErrNoBoundKey, early: true},
		"required, nothing":         {remote: true, claim: required, want: trust.ErrDemand, early: true},
		"required, sums":            {files: map[string][]byte{"SHA256SUMS": sums}, claim: required, kind: trust.UnsignedSums, want: trust.ErrDemand, early: true},
		"required, digest":          {claim: with(required, nil, given), kind: trust.GivenDigest},
		"required, digest, flipped": {claim: with(required, nil, given), flip: true, kind: trust.GivenDigest, want: trust.ErrGiven},
	} {
		places := []bool{false}
		if tc.remote {
			places = []bool{false, true}
		}
		for _, remotely := range places {
			t.Run(fmt.Sprintf("%s, remote %v", name, remotely), func(t *testing.T) {
				t.Parallel()
				image := raw()
				if tc.flip {
					image[imageSize-5] ^= 1
				}
				req, _ := deployment(t)
				req.Claim, req.Keys = tc.claim, func() (keyring.Keys, error) { return keyring.New(key), nil }
				putImage(t, &req, image, tc.files, remotely)
				rep, err := Run(t.Context(), req)
				if tc.want == nil && err != nil || !errors.Is(err, tc.want) || err != nil && report.KindOf(err) != report.Image {
					t.Fatalf("Run() = %v, want %v", err, tc.want)
				}
				v := rep.Image.Verification
				if v == nil || v.Proof != string(tc.kind) || tc.want == nil && tc.kind != "" && v.Digest != fmt.Sprintf("sha256:%x", sha256.Sum256(image)) {
					t.Errorf("the report says %+v", v)
				}
				unproved := slices.ContainsFunc(rep.Warnings, func(w string) bool { return strings.Contains(w, "whoever is on the way") })
				if weak := tc.kind == "" && len(tc.files["image.minisig"]) == 0 || tc.kind == trust.UnsignedSums; err == nil && unproved != (remotely && weak) {
					t.Errorf("warnings %q", rep.Warnings)
				}
				disk, readErr := os.ReadFile(req.Spec.Disks[0].Path)
				switch {
				case tc.early && !errors.Is(readErr, fs.ErrNotExist):
					t.Error("the disk was touched")
				case err != nil && !tc.early && (len(bytes.Trim(disk[:spec.EndSize], "\x00")) > 0 || len(rep.Tasks) > 0):
					t.Error("the disk has a beginning, or the helper has worked")
				}
			})
		}
	}
}

// putImage makes an image and what lies beside it, on this node or on a server.
func putImage(t *testing.T, req *Request, image []byte, beside map[string][]byte, remotely bool) {
	t.Helper()
	if !remotely {
		for name, data := range beside {
			if err := os.WriteFile(filepath.Join(filepath.Dir(req.Spec.Image), name), data, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.WriteFile(req.Spec.Image, image, 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		data, ok := beside[path.Base(r.URL.Path)]
		switch {
		case path.Base(r.URL.Path) == "image":
			data = image
		case !ok:
			http.NotFound(w, r)
			return
		}
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(data))
	}))
	t.Cleanup(server.Close)
	client, err := fetch.New(fetch.Options{Allow: []string{server.URL}, Idle: 5 * time.Second, Pause: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	req.Fetch, req.Spec.Image, req.Config.SpoolDir = client, server.URL+"/images/image", t.TempDir()
}

// TestDigestOfImgIDIsEnforced also when nobody put it into the claim; and it satisfies
// nobody then.
func TestDigestOfImgIDIsEnforced(t *testing.T) {
	t.Parallel()
	for demand, want := range map[trust.Demand]error{trust.None: trust.ErrGiven, trust.Required: trust.ErrDemand} {
		req, _ := deployment(t)
		req.Claim.Demand = demand
		req.Spec.Image += "#sha256=" + strings.Repeat("ab", 32)
		if _, err := Run(t.Context(), req); !errors.Is(err, want) {
			t.Errorf("%s: Run() = %v, want %v", demand, err, want)
		}
	}
}

// TestDryRunTellsTheProof prints what is demanded and what there is.
func TestDryRunTellsTheProof(t *testing.T) {
	t.Parallel()
	req, _ := deployment(t)
	req.Claim = trust.Claim{Demand: trust.IfPresent, By: "the test"}
	putImage(t, &req, raw(), map[string][]byte{"SHA256SUMS": fmt.Appendf(nil, "%x  image\n", sha256.Sum256(raw()))}, false)
	out := new(bytes.Buffer)
	if err := DryRun(t.Context(), req, out); err != nil || !strings.Contains(out.String(), "proof     SHA256SUMS, which nobody signed (if-present demanded by the test)\n") {
		t.Errorf("DryRun: %v\n%s", err, out)
	}
}

// TestChangedWhileItIsRead: what the worker reads and what is proved have to be the same
// bytes.
func TestChangedWhileItIsRead(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		change func(file string) error
		copied error // how the copy ended
		want   string
	}{
		"not":       {func(string) error { return nil }, nil, ""},
		"written":   {func(file string) error { return writeAt(file, 5) }, nil, errChanged.Error()},
		"shortened": {func(file string) error { return os.Truncate(file, 10) }, nil, "reading the image for its proof"},
		"no copy":   {func(string) error { return nil }, errors.New("the copy failed"), "the copy failed"},
	} {
		file := filepath.Join(t.TempDir(), "image")
		if err := os.WriteFile(file, raw(), 0o600); err != nil {
			t.Fatal(err)
		}
		image, err := source.Open(file)
		if err != nil {
			t.Fatal(err)
		}
		check, err := trust.Find(t.Context(), keyring.Keys{}, trust.Claim{Digests: []trust.Digest{{Algorithm: "sha256", Hex: strings.Repeat("00", 32)}}}, trust.Place{})
		if err != nil {
			t.Fatal(err)
		}
		i := &imaging{image: image, proof: check}
		r, err := i.readForProof(t.Context(), false)
		time.Sleep(20 * time.Millisecond) // the clock of inodes is coarse
		if err := errors.Join(err, tc.change(file)); err != nil {
			t.Fatal(err)
		}
		if err := r.end(i, tc.copied); tc.want == "" && err != nil || tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)) {
			t.Errorf("%s: %v, want %q", name, err, tc.want)
		}
		_ = image.Close()
	}
}

// writeAt writes the byte that is there already.
func writeAt(file string, at int64) error {
	f, err := os.OpenFile(file, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteAt([]byte{imageByte}, at)
	return errors.Join(err, f.Close())
}
