package sums

import (
	"encoding/base64"
	"encoding/hex"
	"errors"
	"path"
	"slices"
	"strings"
	"testing"
)

var (
	hex512 = strings.Repeat("0a", 64)
	hex256 = strings.Repeat("0b", 32)
	hexSHA = strings.Repeat("0c", 20)
	hexMD5 = strings.Repeat("0d", 16)
	other  = strings.Repeat("ee", 32)
)

func TestChooseSum(t *testing.T) {
	t.Parallel()
	raw, err := hex.DecodeString(hex512)
	if err != nil {
		t.Fatal(err)
	}
	b64 := base64.StdEncoding.EncodeToString(raw)
	for name, tc := range map[string]struct {
		data  string
		names []string
		alone bool
		want  string // the digest
		err   error
	}{
		"coreutils":              {data: hex512 + "  a.qcow2\n" + other + "  b.qcow2\n", want: hex512},
		"binary":                 {data: hex256 + " *a.qcow2\n", want: hex256},
		"one space":              {data: hex256 + " a.qcow2\n", want: hex256},
		"path":                   {data: hex256 + "  ./x/a.qcow2\n", want: hex256},
		"capitals":               {data: strings.ToUpper(hex256) + "  a.qcow2\n", want: hex256},
		"suffix in capitals":     {data: hex256 + "  a.QCOW2\n", want: hex256},
		"name in capitals":       {data: hex256 + "  A.qcow2\n", err: ErrNoEntry},
		"crlf":                   {data: hex256 + "  a.qcow2\r\n", want: hex256},
		"bsd":                    {data: "# a.qcow2: 12 bytes\nSHA256 (a.qcow2) = " + hex256 + "\n", want: hex256},
		"bsd with a hyphen":      {data: "SHA-512 (a.qcow2) = " + hex512 + "\n", want: hex512},
		"bsd, algorithm lies":    {data: "SHA512 (a.qcow2) = " + hex256 + "\n", err: ErrNoSums},
		"bare":                   {data: hex512 + "\n", alone: true, want: hex512},
		"bare, for all":          {data: hex512 + "\n", err: ErrNoEntry},
		"blocks":                 {data: "# MD5 HASH\n" + hexMD5 + "  a.qcow2\n# SHA1 HASH\n" + hexSHA + "  a.qcow2\n# SHA512 HASH\n" + hex512 + "  a.qcow2\n", want: hex512},
		"blocks, unknown digest": {data: "# BLAKE2B HASH\n" + strings.Repeat("ee", 64) + "  a.qcow2\n# SHA512 HASH\n" + hex512 + "  a.qcow2\n", want: hex512},
		"unknown digest alone":   {data: "# BLAKE2B HASH\n" + strings.Repeat("ee", 64) + "  a.qcow2\n", err: ErrNoSums},
		"json, base64":           {data: `{"items":[{"metadata":{"annotations":{"d":"sha512:` + strings.TrimRight(b64, "=") + `"}}}]}`, alone: true, want: hex512},
		"json, hex":              {data: `{"digest":"sha256:` + hex256 + `"}`, alone: true, want: hex256},
		"json without a digest":  {data: `{"a":["b",1,null]}`, err: ErrNoSums},
		"json cut":               {data: `{"digest":"sha256:`, err: ErrNoSums},
		"strongest":              {data: hex256 + "  a.qcow2\n" + hex512 + "  a.qcow2\n", want: hex512},
		"weak":                   {data: hexMD5 + "  a.qcow2\n" + hexSHA + "  a.qcow2\n", err: ErrWeak},
		"twice the same":         {data: hex256 + "  a.qcow2\n" + hex256 + "  a.qcow2\n", want: hex256},
		"two digests":            {data: hex256 + "  a.qcow2\n" + other + "  a.qcow2\n", err: ErrAmbiguous},
		"redirected":             {data: hex256 + "  a-20260101.qcow2\n", names: []string{"a.qcow2", "a-20260101.qcow2"}, want: hex256},
		"other image":            {data: hex256 + "  b.qcow2\n", err: ErrNoEntry},
		"name that ends as ours": {data: hex256 + "  xa.qcow2\n", err: ErrNoEntry},
		"empty":                  {err: ErrNoSums},
		"html":                   {data: "<html><body>404 " + hex256[:20] + "</body></html>", err: ErrNoSums},
		"long line":              {data: strings.Repeat("x", MaxFile), err: ErrNoSums},
		"too big":                {data: strings.Repeat("x", MaxFile+1), err: ErrTooBig},
	} {
		if tc.names == nil {
			tc.names = []string{"a.qcow2"}
		}
		sums, err := Parse([]byte(tc.data))
		var got Sum
		if err == nil {
			got, err = Choose(sums, tc.names, tc.alone)
		}
		if got.Hex != tc.want || !errors.Is(err, tc.err) {
			t.Errorf("%s: %v, %v, want %s, %v", name, got, err, tc.want, tc.err)
		}
	}
}

// FuzzChoose looks for one file: whatever is found stands beside its name, or alone.
func FuzzChoose(f *testing.F) {
	f.Add([]byte(hex512+"  a.img\n"+other+" *b.img"), "a.img", false)
	f.Add([]byte("MD5 (x/a.img) = "+hexMD5+"\nSHA256 (x/a.img) = "+hex256), "a.IMG", false)
	f.Add([]byte(hex256), "a.img", true)
	f.Fuzz(func(t *testing.T, data []byte, name string, alone bool) {
		all, err := Parse(data)
		if err != nil {
			return
		}
		s, err := Choose(all, []string{name}, alone)
		if err != nil {
			return
		}
		named := s.Name != "" && strings.EqualFold(path.Base(s.Name), path.Base(name)) || s.Name == "" && alone
		if !named || !slices.Contains(all, s) || !slices.Contains(strongest, s.Algorithm) {
			t.Fatalf("found %+v for %q, alone %v", s, name, alone)
		}
	})
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{
		hex512 + "  a\n", "SHA256 (a) = " + hex256, `{"digest":"sha256:` + hex256 + `"}`, "# SHA512 HASH\n" + hex512 + "  a",
		"SHA256 (a (b)) = " + hex256 + "\n" + hex256,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		sums, err := Parse(data)
		if (err == nil) == (len(sums) == 0) {
			t.Fatalf("%d sums and error %v", len(sums), err)
		}
		for _, s := range sums {
			if hexLength[s.Algorithm] != len(s.Hex) || s.Hex != strings.ToLower(s.Hex) {
				t.Fatalf("sum %+v", s)
			}
		}
	})
}
