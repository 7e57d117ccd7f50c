package keyring

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// seed returns a file that the real gpg or minisign made.
func seed(f *testing.F, name string) []byte {
	f.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		f.Fatal(err)
	}
	return data
}

// seedKeys are the keys of the seeds.
func seedKeys(f *testing.F) Keys {
	f.Helper()
	var all []Key
	for _, name := range []string{"key.asc", "mini.pub"} {
		keys, err := Parse(name, seed(f, name))
		if err != nil {
			f.Fatal(err)
		}
		all = append(all, keys...)
	}
	keys := New(all...)
	keys.Now = func() time.Time { return time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC) } // after they were made
	return keys
}

// FuzzSignature feeds packets and minisign's lines to the reader of signatures, which runs
// in the host. Nothing is a signature of another text.
func FuzzSignature(f *testing.F) {
	keys, signed := seedKeys(f), seed(f, "sums")
	other := append(bytes.Clone(signed), 'x')
	for _, name := range []string{"sums.asc", "sums.sig", "sums.minisig"} {
		if s, err := Verify(keys, bytes.NewReader(signed), seed(f, name)); err != nil || s.Key == "" {
			f.Fatalf("%s: %+v, %v", name, s, err)
		}
		f.Add(seed(f, name))
	}
	f.Add([]byte{0xc2, 0x05, 4, 0, 22, 10, 0})
	f.Fuzz(func(t *testing.T, data []byte) {
		if _, err := Verify(Keys{}, bytes.NewReader(signed), data); err == nil {
			t.Fatal("verified without a key")
		}
		_, _ = Verify(keys, bytes.NewReader(signed), data)
		if _, err := Verify(keys, bytes.NewReader(other), data); err == nil {
			t.Fatal("verified another text")
		}
	})
}

// FuzzClearsigned changes a signed message: whatever is verified is what was signed.
func FuzzClearsigned(f *testing.F) {
	keys, signed := seedKeys(f), strings.TrimSpace(string(seed(f, "sums")))
	if _, _, err := Clearsigned(keys, seed(f, "clear.asc")); err != nil {
		f.Fatal(err)
	}
	f.Add(seed(f, "clear.asc"))
	f.Fuzz(func(t *testing.T, data []byte) {
		text, s, err := Clearsigned(keys, data)
		if err == nil && (s.Key == "" || strings.TrimSpace(string(text)) != signed) {
			t.Fatalf("verified %q by %q", text, s.Key)
		}
		if _, _, err := Clearsigned(Keys{}, data); err == nil {
			t.Fatal("verified without a key")
		}
	})
}

// FuzzParse feeds files of the keyring, which administrators download.
func FuzzParse(f *testing.F) {
	f.Add(seed(f, "key.asc"))
	f.Add(seed(f, "mini.pub"))
	f.Add([]byte{0x98, 0x33, 4})
	f.Fuzz(func(t *testing.T, data []byte) {
		keys, err := Parse("file", data)
		if (err == nil) == (len(keys) == 0) {
			t.Fatalf("%d keys and error %v", len(keys), err)
		}
	})
}
