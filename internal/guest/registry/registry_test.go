package registry

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"snf-image/internal/guest/outcome"
	"snf-image/internal/guest/rootfs"
	"snf-image/tests/guest"
	"snf-image/tests/hive"
	"snf-image/tests/require"
	"snf-image/tests/tree"
)

const system = `[HIVE\Select]
"Current"=dword:00000001

[HIVE\ControlSet001\Control\Terminal Server]
"fDenyTSConnections"=dword:00000000
"ProductVersion"="5.1"
@="no name"
"Größe"=hex(2):25,00,00,00
"Big"=hex:00,11,22,33,44,55,66,77,88,99,aa,bb,cc,dd,ee,ff
"List"=hex(7):41,00,00,00,42,00,00,00,00,00

[HIVE\ControlSet001\Control\Terminal Server\WinStations]

[HIVE\Ключ]
"Empty"=hex(9):
`

const path = "/Windows/System32/config/SYSTEM"

// open opens a hive of these bytes in a tree.
func open(t testing.TB, data []byte) (*Hive, tree.Tree, error) {
	t.Helper()
	made := tree.New(t, map[string]string{path: string(data)})
	h, err := Open(guest.Open(t, made), path)
	if err == nil {
		t.Cleanup(func() { _ = h.Close() })
	}
	return h, made, err
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestRead(t *testing.T) {
	t.Parallel()
	h, _, err := open(t, hive.New(t, system))
	must(t, err)
	const server = `controlset001\CONTROL\terminal server`
	for name, want := range map[string]Value{
		"fdenytsconnections": Number(0),
		"ProductVersion":     String("5.1"),
		"":                   String("no name"),
		"GRÖSSE":             {},
		"GRÖßE":              {TypeExpand, []byte("%\x00\x00\x00")},
		"Big":                {TypeBinary, []byte("\x00\x11\x22\x33\x44\x55\x66\x77\x88\x99\xaa\xbb\xcc\xdd\xee\xff")},
		"List":               {TypeList, []byte("A\x00\x00\x00B\x00\x00\x00\x00\x00")},
		"absent":             {},
	} {
		got, ok, err := h.Value(server, name)
		must(t, err)
		if ok != (want.Type != 0) || !cmp.Equal(got, want) {
			t.Errorf("value %q: %v %v, want %v", name, got, ok, want)
		}
	}
	keys, err := h.Keys("")
	must(t, err)
	slices.Sort(keys)
	if want := []string{"ControlSet001", "Select", "Ключ"}; !slices.Equal(keys, want) {
		t.Errorf("keys %q, want %q", keys, want)
	}
	if v, ok, err := h.Value("КЛЮЧ", "empty"); err != nil || !ok || v.Type != 9 || len(v.Data) != 0 {
		t.Errorf("Empty: %v %v %v", v, ok, err)
	}
	if keys, err := h.Keys(`Select\None\At all`); err != nil || keys != nil {
		t.Errorf("keys of nothing: %q, %v", keys, err)
	}
	names, err := h.Names("select")
	must(t, err)
	if !slices.Equal(names, []string{"Current"}) {
		t.Errorf("names %q", names)
	}
}

// TestControlSet finds the configuration that starts, and makes none up.
func TestControlSet(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"[HIVE\\Select]\n\"Current\"=dword:00000002\n\n[HIVE\\ControlSet002]\n": "ControlSet002",
		"[HIVE\\controlset001]\n":                                                       "ControlSet001",
		"[HIVE\\Select]\n\"Current\"=\"x\"\n\n[HIVE\\ControlSet001]\n":                  "ControlSet001",
		"[HIVE\\Select]\n\"Current\"=dword:00000002\n\n[HIVE\\ControlSet001]\n":         "",
		"[HIVE\\Select]\n\"Current\"=dword:ffffffff\n\n[HIVE\\ControlSet4294967295x]\n": "",
		"": "",
	} {
		h, _, err := open(t, hive.New(t, text))
		must(t, err)
		if got, err := h.ControlSet(); got != want || want == "" && !errors.Is(err, ErrDamaged) {
			t.Errorf("%q: %q, %v, want %q", text, got, err, want)
		}
	}
}

func TestText(t *testing.T) {
	t.Parallel()
	for _, s := range []string{"", "a", "Größe", "日本", "😀 x"} {
		if got := String(s).Text(); got != s {
			t.Errorf("Text() = %q, want %q", got, s)
		}
	}
	if got := (Value{TypeString, []byte("A\x00B")}).Text(); got != "A" {
		t.Errorf("half a unit: %q", got)
	}
	if n, ok := Number(7).Number(); n != 7 || !ok {
		t.Errorf("Number() = %d, %v", n, ok)
	}
	if _, ok := (Value{TypeNumber, []byte("abc")}).Number(); ok {
		t.Error("three bytes are a number")
	}
}

// TestCommit compares everything in a hive before and after, by another program.
func TestCommit(t *testing.T) {
	t.Parallel()
	require.Tool(t, "hivexsh")
	data := hive.New(t, system)
	h, made, err := open(t, data)
	must(t, err)
	h.Set(`\Controlset001\control\Terminal server`, "FDENYTSConnections", Number(1))
	h.Set(`ControlSet001\Control\Terminal Server`, "New", String("Größe 😀"))
	h.Delete(`ControlSet001\Control\Terminal Server`, "big")
	h.Delete(`ControlSet001\Control\Terminal Server`, "never there")
	h.Set(`Setup\New\Deep`, "", String("x"))
	h.Set(`Setup\new`, "n", Number(2))
	must(t, h.Commit(t.Context()))
	if v, ok, err := h.Value(`SETUP\NEW\deep`, ""); err != nil || !ok || v.Text() != "x" {
		t.Errorf("after Commit: %v %v %v", v, ok, err)
	}
	wantLines(t, data, []byte(made.Content(t, path)),
		`-"Big"=hex(3):00,11,22,33,44,55,66,77,88,99,aa,bb,cc,dd,ee,ff`,
		`-"fDenyTSConnections"=dword:00000000`,
		`+"fDenyTSConnections"=dword:00000001`,
		`+"New"=hex(1):47,00,72,00,f6,00,df,00,65,00,20,00,3d,d8,00,de,00,00`,
		`+[HIVE\Setup]`, `+[HIVE\Setup\New]`, `+"n"=dword:00000002`,
		`+[HIVE\Setup\New\Deep]`, `+@=hex(1):78,00,00,00`)
	require.Run(t, "", "regfinfo", filepath.Join(made.Dir, path))
}

// wantLines compares what two hives hold, line by line.
func wantLines(t *testing.T, before, after []byte, want ...string) {
	t.Helper()
	old, now := strings.Split(hive.Text(t, before), "\n"), strings.Split(hive.Text(t, after), "\n")
	var got []string
	for _, l := range old {
		if !slices.Contains(now, l) {
			got = append(got, "-"+l)
		}
	}
	for _, l := range now {
		if !slices.Contains(old, l) {
			got = append(got, "+"+l)
		}
	}
	slices.Sort(got)
	slices.Sort(want)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("changes (-want +got):\n%s", diff)
	}
}

func TestCommitNothing(t *testing.T) {
	t.Parallel()
	h, made, err := open(t, hive.New(t, system))
	must(t, err)
	before := made.Snapshot(t)
	h.Set("Select", "CURRENT", Number(1))
	h.Delete("Select", "absent")
	must(t, h.Commit(t.Context()))
	if diff := cmp.Diff(before, made.Snapshot(t)); diff != "" {
		t.Error(diff)
	}
}

// TestCommitFails: the hive stays as it was, and nothing lies beside it.
func TestCommitFails(t *testing.T) {
	t.Parallel()
	require.Tool(t, "hivexsh")
	for name, set := range map[string]func(h *Hive){
		"line break in a name":  func(h *Hive) { h.Set("Select", "a\nb", Number(1)) },
		"line break in a key":   func(h *Hive) { h.Set("Select\\a\ncd", "b", Number(1)) },
		"the name @":            func(h *Hive) { h.Set("Select", "@", Number(1)) },
		"longer than a line":    func(h *Hive) { h.Set("Select", "a", Value{TypeBinary, make([]byte, 5000)}) },
		"a key that is a space": func(h *Hive) { h.Set(`Select\ `, "a", Number(1)) },
		"beside a long value":   func(h *Hive) { h.Set("Long", "a", Number(1)) },
		"beside the name @":     func(h *Hive) { h.Set("At", "a", Number(1)) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h, made, err := open(t, hive.New(t, system+"\n[HIVE\\Long]\n\"v\"=hex:"+strings.Repeat("01,", 4999)+"02\n\n[HIVE\\At]\n\"@\"=\"x\"\n"))
			must(t, err)
			before := made.Snapshot(t)
			set(h)
			err = h.Commit(t.Context())
			if r := (*outcome.Remedied)(nil); !errors.Is(err, errLimits) || !strings.Contains(err.Error(), path) || !errors.As(err, &r) || !strings.Contains(r.Remedy, "shorten or remove it") {
				t.Errorf("error %v, want %v", err, errLimits)
			}
			if diff := cmp.Diff(before, made.Snapshot(t)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestCheck: damage where we do not look, but hivexsh does, is found without writing; what is
// in order is not changed by that.
func TestCheck(t *testing.T) {
	t.Parallel()
	require.Tool(t, "hivexsh")
	damaged := hive.New(t, system)
	damaged[baseSize]++ // the mark of its first cells
	for name, c := range map[string]struct {
		data []byte
		set  func(h *Hive)
		want error
	}{
		"in order":       {hive.New(t, system), func(h *Hive) { h.Set(`Select\New`, "a", Number(1)) }, nil},
		"damaged":        {damaged, func(h *Hive) { h.Set("Select", "a", Number(1)) }, ErrDamaged},
		"nothing to do":  {damaged, func(h *Hive) { h.Delete("Select", "absent") }, nil},
		"not to be told": {hive.New(t, system), func(h *Hive) { h.Set("Select", "@", Number(1)) }, errLimits},
	} {
		h, made, err := open(t, c.data)
		must(t, err)
		before := made.Snapshot(t)
		c.set(h)
		if err := h.Check(t.Context()); !errors.Is(err, c.want) {
			t.Errorf("%s: error %v, want %v", name, err, c.want)
		}
		if diff := cmp.Diff(before, made.Snapshot(t)); diff != "" {
			t.Errorf("%s (-before +after):\n%s", name, diff)
		}
		if err := h.Commit(t.Context()); !errors.Is(err, c.want) { // Check has told the truth
			t.Errorf("%s: Commit: %v, want %v", name, err, c.want)
		}
	}
}

func TestRefused(t *testing.T) {
	t.Parallel()
	good := hive.New(t, system)
	for name, c := range map[string]struct {
		change func(h []byte) []byte
		want   error
	}{
		"empty file":        {func([]byte) []byte { return nil }, ErrDamaged},
		"zeros":             {func(h []byte) []byte { return make([]byte, len(h)) }, ErrDamaged},
		"cut short":         {func(h []byte) []byte { return h[:len(h)-4096] }, ErrDamaged},
		"log of a hive":     {func(h []byte) []byte { h[28] = 1; hive.Seal(h); return h }, ErrDamaged},
		"unknown version":   {func(h []byte) []byte { h[24] = 7; hive.Seal(h); return h }, ErrDamaged},
		"root is elsewhere": {func(h []byte) []byte { h[39] = 0x7f; hive.Seal(h); return h }, ErrDamaged},
		"sequence numbers":  {func(h []byte) []byte { h[4]++; hive.Seal(h); return h }, ErrDirty},
		"checksum":          {func(h []byte) []byte { h[508]++; return h }, ErrDirty},
	} {
		if _, _, err := open(t, c.change(bytes.Clone(good))); !errors.Is(err, c.want) {
			t.Errorf("%s: error %v, want %v", name, err, c.want)
		}
	}
	root := guest.Open(t, tree.New(t, map[string]string{"x": ""}))
	if _, err := Open(root, path); !rootfs.IsNotExist(err) {
		t.Errorf("no hive: %v", err)
	}
}

// TestLargeValue reads a value that lies in several cells, which only a newer version of
// the format has: its list and its cells are put behind the others.
func TestLargeValue(t *testing.T) {
	t.Parallel()
	const size = 2*maxSegment + 100
	h := hive.New(t, "[HIVE\\K]\n\"v\"=hex:01,02,03,04,05\n")
	cell := bytes.Index(h, []byte("\x03\x00\x00\x00\x01\x00\x00\x00v")) - valueType // type, flags, name
	bins := len(h) - baseSize
	bin := make([]byte, 12*4096)
	copy(bin, "hbin")
	at := 32
	alloc := func(n int) (offset uint32, data []byte) {
		binary.LittleEndian.PutUint32(bin[at:], uint32(-int32(n+4)))
		offset, data = uint32(bins+at), bin[at+4:at+4+n]
		at += n + 4
		return offset, data
	}
	db, head := alloc(12)
	list, offsets := alloc(12)
	copy(head, "db\x03\x00")
	binary.LittleEndian.PutUint32(head[4:], list)
	for i, n := range []int{maxSegment, maxSegment, 100} {
		offset, data := alloc(n)
		binary.LittleEndian.PutUint32(offsets[4*i:], offset)
		copy(data, bytes.Repeat([]byte{byte('a' + i)}, n))
	}
	binary.LittleEndian.PutUint32(h[cell+valueSize:], size)
	binary.LittleEndian.PutUint32(h[cell+valueData:], db)
	binary.LittleEndian.PutUint32(h[baseBins:], uint32(bins+len(bin)))
	hive.Seal(h)
	opened, _, err := open(t, append(h, bin...))
	must(t, err)
	v, _, err := opened.Value("K", "v")
	must(t, err)
	if len(v.Data) != size || strings.Trim(string(v.Data), "a") == "" || v.Data[size-1] != 'c' {
		t.Errorf("%d bytes, want %d", len(v.Data), size)
	}
}

// TestManyKeys looks keys up in lists of lists, as hives of that many keys have.
func TestManyKeys(t *testing.T) {
	t.Parallel()
	require.Tool(t, "hivexsh")
	var text strings.Builder
	for i := range 1200 {
		fmt.Fprintf(&text, "[HIVE\\Many\\key%d]\n\"n\"=dword:%08x\n\n", i, i)
	}
	h, _, err := open(t, hive.New(t, text.String()))
	must(t, err)
	for _, i := range []int{0, 511, 1199} {
		v, _, err := h.Value(fmt.Sprintf(`many\KEY%d`, i), "n")
		must(t, err)
		if n, ok := v.Number(); !ok || n != uint32(i) {
			t.Errorf("key%d has %d", i, n)
		}
	}
	seen := map[string]bool{}
	must(t, h.Below("Many", "N", func(sub string, v Value, ok bool) {
		n, is := v.Number()
		seen[sub] = ok && is && sub == fmt.Sprintf("key%d", n)
	}))
	if good := slices.Collect(maps.Values(seen)); len(good) != 1200 || slices.Contains(good, false) {
		t.Errorf("%d subkeys, or some with another value", len(good))
	}
}

// TestLongNames: a hive says in few bytes that each of many values has the same long name;
// neither is that held many times, nor what lies around a value.
func TestLongNames(t *testing.T) {
	t.Parallel()
	h := hive.New(t, "[HIVE\\K]\n\""+strings.Repeat("v", 2000)+"\"=dword:00000001\n")
	key := bytes.Index(h, []byte("nk\x20\x00")) // not the root, whose flags are others
	vector := 4096 + 4 + int(binary.LittleEndian.Uint32(h[key+keyVector:]))
	value := h[vector : vector+4]
	const values = 1000
	list := binary.LittleEndian.AppendUint32(nil, ^uint32(4+4*values)+1)
	list = append(list, bytes.Repeat(value, values)...)
	binary.LittleEndian.PutUint32(h[key+keyValues:], values)
	binary.LittleEndian.PutUint32(h[key+keyVector:], uint32(len(h)-4096))
	h = append(h, list...)
	binary.LittleEndian.PutUint32(h[baseBins:], uint32(len(h)-4096))
	hive.Seal(h)
	opened, _, err := open(t, h)
	must(t, err)
	if names, err := opened.Names("K"); !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), "names of the values") {
		t.Errorf("%d names, %v", len(names), err)
	}
}

// FuzzRead reads everything of a hive: neither a panic nor an end that does not come.
func FuzzRead(f *testing.F) {
	f.Add(hive.Empty())
	if _, err := exec.LookPath("hivexregedit"); err == nil {
		f.Add(hive.New(f, system))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 512 {
			copy(data[8:12], data[4:8])
			hive.Seal(data)
		}
		h, _, err := open(t, data)
		if err != nil {
			return
		}
		var walk func(path string, depth int)
		walk = func(path string, depth int) {
			if names, err := h.Names(path); err == nil {
				for _, name := range names {
					_, _, _ = h.Value(path, name)
				}
			}
			keys, err := h.Keys(path)
			if err != nil || depth > 4 {
				return
			}
			for _, k := range keys[:min(len(keys), 3)] {
				walk(path+`\`+k, depth+1)
			}
		}
		walk("", 0)
	})
}
