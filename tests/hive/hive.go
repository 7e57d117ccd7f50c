// Package hive makes registry hives for tests: an empty one from its bytes, filled by
// hivexregedit, which is not what the product writes them with.
package hive

import (
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"snf-image/tests/require"
)

// Empty returns a hive whose root key has neither keys nor values, version 1.5 of the
// format.
func Empty() []byte {
	const base, bin = 4096, 4096
	h := make([]byte, base+bin)
	put := func(at int, values ...uint32) {
		for i, v := range values {
			binary.LittleEndian.PutUint32(h[at+4*i:], v)
		}
	}
	copy(h, "regf")
	put(4, 1, 1)
	put(20, 1, 5, 0, 1, 32, bin, 1) // version, primary file, format, root, cells, clustering
	b := h[base:]
	copy(b, "hbin")
	put(base+8, bin)

	const key, security = 32, 32 + 88
	put(base+key, allocated(88))
	copy(b[key+4:], "nk")
	binary.LittleEndian.PutUint16(b[key+6:], 0x2c) // root of a hive, no deletion, narrow name
	none := ^uint32(0)
	put(base+key+4+16, none, 0, 0, none, none, 0, none, security, none)
	binary.LittleEndian.PutUint16(b[key+4+72:], 4)
	copy(b[key+4+76:], "ROOT")

	// A security descriptor of 20 bytes: self-relative, without owner, group and lists.
	put(base+security, allocated(48))
	copy(b[security+4:], "sk")
	put(base+security+8, security, security, 1, 20)
	put(base+security+24, 1|0x8000<<16)
	rest := security + 48
	put(base+rest, uint32(bin-rest)) // free

	Seal(h)
	return h
}

func allocated(size int32) uint32 { return uint32(-size) }

// Seal makes the checksum of a hive right.
func Seal(h []byte) {
	var sum uint32
	for at := 0; at < 508; at += 4 {
		sum ^= binary.LittleEndian.Uint32(h[at:])
	}
	binary.LittleEndian.PutUint32(h[508:], sum)
}

// New returns a hive with what is in text, in the form of a .reg file without its first
// line. Its keys begin with `HIVE\`; those above them are made.
func New(t testing.TB, text string) []byte {
	t.Helper()
	tool := require.Tool(t, "hivexregedit")
	dir := t.TempDir()
	name, edits := filepath.Join(dir, "hive"), filepath.Join(dir, "edits.reg")
	check(t, os.WriteFile(name, Empty(), 0o600))
	check(t, os.WriteFile(edits, []byte("Windows Registry Editor Version 5.00\n\n"+withParents(text)), 0o600))
	out, err := exec.Command(tool, "--merge", "--prefix", "HIVE", name, edits).CombinedOutput()
	if err != nil {
		err = fmt.Errorf("%w: %s", err, out)
	}
	check(t, err)
	data, err := os.ReadFile(name)
	check(t, err)
	return data
}

// withParents adds the keys above those of a text, which hivexregedit wants.
func withParents(text string) string {
	var b strings.Builder
	known := map[string]bool{"HIVE": true}
	for line := range strings.Lines(text) {
		key := strings.Trim(strings.TrimSpace(line), "[]")
		for i, c := range key {
			if parent := key[:i]; line[0] == '[' && c == '\\' && !known[parent] {
				known[parent] = true
				fmt.Fprintf(&b, "[%s]\n\n", parent)
			}
		}
		if line[0] == '[' {
			known[key] = true
		}
		b.WriteString(line)
	}
	return b.String()
}

// Text returns what hivexregedit says is in a hive, all of it.
func Text(t testing.TB, data []byte) string {
	t.Helper()
	tool := require.Tool(t, "hivexregedit")
	name := filepath.Join(t.TempDir(), "hive")
	check(t, os.WriteFile(name, data, 0o600))
	out, err := exec.Command(tool, "--export", "--prefix", "HIVE", name, `\`).Output()
	check(t, err)
	return string(out)
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
