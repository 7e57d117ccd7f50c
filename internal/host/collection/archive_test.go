package collection

import (
	"archive/tar"
	"bytes"
	"io"
	"os"
	"slices"
	"strings"
	"testing"

	"snf-image/internal/host/catalogue"
	"snf-image/internal/host/keyring"
	"snf-image/internal/host/trust"
)

// file is one of an archive.
type file struct {
	name, text string
	kind       byte
}

func pack(t testing.TB, files ...file) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, f := range files {
		h := &tar.Header{Name: f.name, Typeflag: f.kind, Size: int64(len(f.text)), Mode: 0o644}
		if f.kind == tar.TypeSymlink {
			h.Linkname, h.Size, f.text = "/etc/passwd", 0, ""
		}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, f.text); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

const (
	helloSum = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"
	ownEntry = "URL=https://example.org/a.img\nFORMAT=raw\nDIGEST=sha256:" + helloSum + "\n"
)

// TestImport takes an image that is what the entry says, and nothing from an archive that
// is not as export writes it.
func TestImport(t *testing.T) {
	t.Parallel()
	e := catalogue.Parse("a-1", "a-1.conf", []byte(ownEntry), "x86_64")
	find := func(string) (*catalogue.Entry, error) { return e, e.Problems.Err() }
	o := Order{Keys: keyring.New(), Demand: Demand{Demand: trust.Required}, Note: func(string) {}, Progress: func(int64, int64) {}}
	good := strings.Replace(good, strings.Repeat("0", 64), helloSum, 1)
	aPin, image := file{"a-1/a-1.pin", good, tar.TypeReg}, file{"a-1/a.img", "hello", tar.TypeReg}
	proof := file{"a-1/SUMS", "x", tar.TypeReg}
	for name, tc := range map[string]struct {
		files []file
		want  string
	}{
		"empty":          {nil, "unexpected EOF"},
		"no pin":         {[]file{image}, "not an archive of image export"},
		"no image":       {[]file{aPin, proof}, "unexpected EOF"},
		"climbing":       {[]file{aPin, {"a-1/../../x", "x", tar.TypeReg}}, `a-1/../../x" in it`},
		"absolute":       {[]file{aPin, {"/etc/x", "x", tar.TypeReg}}, `/etc/x" in it`},
		"another folder": {[]file{aPin, {"b-1/x", "x", tar.TypeReg}}, `b-1/x" in it`},
		"link":           {[]file{aPin, {"a-1/a.img", "", tar.TypeSymlink}}, `a-1/a.img" in it`},
		"large proof":    {[]file{aPin, {"a-1/SUMS", strings.Repeat("x", trust.MaxProof+1), tar.TypeReg}}, "a file of 1048577 bytes"},
		"many files":     {append([]file{aPin}, slices.Repeat([]file{proof}, 20)...), "too many files"},
		"another image":  {[]file{{"a-1/a-1.pin", strings.ReplaceAll(good, "a.img", "b.img"), tar.TypeReg}, {"a-1/b.img", "hello", tar.TypeReg}}, "the entry here is about a.img"},
		"another name":   {[]file{{"b-1/b-1.pin", good, tar.TypeReg}}, "not a pin"},
		"forged":         {[]file{aPin, {"a-1/a.img", "hellp", tar.TypeReg}}, "not the one that was given"},
		"damaged":        {[]file{{"a-1/a-1.pin", strings.Replace(good, helloSum, strings.Repeat("0", 64), 1), tar.TypeReg}, image}, "not the one that its pin names"},
		"no name":        {[]file{{"../../../x/x.pin", good, tar.TypeReg}}, "not an archive"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := In(t.TempDir())
			_, err := c.Import(t.Context(), bytes.NewReader(pack(t, tc.files...)), find, o)
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("Import = %v, want %q", err, tc.want)
			}
			if left, _ := os.ReadDir(c.dir); len(left) > 1 { // the lock
				t.Errorf("left behind: %v", left)
			}
		})
	}
	c := In(t.TempDir())
	out, err := c.Import(t.Context(), bytes.NewReader(pack(t, aPin, proof, file{"a-1/key.asc", "x", tar.TypeReg}, image)), find, o)
	if err != nil || !out.Changed || out.Proof != trust.GivenDigest || len(out.Files) > 0 {
		t.Fatalf("Import = %+v, %v", out, err)
	}
	var b bytes.Buffer
	if err := c.Export(t.Context(), "a-1", "", &b); err != nil {
		t.Fatal(err)
	}
	if out, err = In(t.TempDir()).Import(t.Context(), &b, find, o); err != nil || out.Size != 5 {
		t.Errorf("Import of what was exported = %+v, %v", out, err)
	}
}

func FuzzArchive(f *testing.F) {
	f.Add(pack(f, file{"a-1/a-1.pin", good, tar.TypeReg}, file{"a-1/SUMS", "x", tar.TypeReg}, file{"a-1/a.img", "hello", tar.TypeReg}))
	f.Fuzz(func(t *testing.T, data []byte) {
		a := &archive{Reader: tar.NewReader(bytes.NewReader(data))}
		if _, err := a.pin(); err != nil {
			return
		}
		for range 10 {
			name, _, err := a.next()
			if err != nil {
				return
			}
			if strings.ContainsAny(name, "/\x00") || name == "" || name[0] == '.' {
				t.Fatalf("a file called %q", name)
			}
		}
	})
}
