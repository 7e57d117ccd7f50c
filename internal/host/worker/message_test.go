package worker

import (
	"errors"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"snf-image/internal/report"
)

func itoa(n int) string { return strconv.Itoa(n) }

var sum = strings.Repeat("ab", digestSize)

// good is a true result for a disk of 8192 bytes.
func good() string {
	return `{"result":{"image_bytes":4096,"data_bytes":1024,"zeroed_bytes":3072,"zeroing":"punch-hole",` +
		`"wiped":"zeroed without writing","wiped_bytes":4096,"direct":true,"digest":"` + sum + `","seconds":1}}` + "\n"
}

// asked is what has to come before.
const asked = `{"geometry":{"format":"raw","disk_bytes":4096}}` + "\n"

func allow() error { return nil }

func testJob() Job {
	return Job{DiskSize: 8192, From: os.NewFile(1<<20, "/image"), To: os.NewFile(1<<20, "/disk")}
}

func TestListen(t *testing.T) {
	t.Parallel()
	got, err := listen(strings.NewReader(asked+`{"progress":{"position":0,"total":4096}}`+"\n"+good()), testJob(), allow, func() {})
	if err != nil || got.Digest != sum || got.DataBytes != 1024 {
		t.Errorf("listen = %+v, %v", got, err)
	}
}

func TestListenRefuses(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		said string
		want error
	}{
		"nothing":           {"", errSilent},
		"asked twice":       {asked + good(), errProtocol},
		"another size":      {strings.Replace(strings.Replace(good(), "4096,", "4608,", 1), "3072", "3584", 1), errProtocol},
		"progress only":     {`{"progress":{"position":1,"total":2}}`, errSilent},
		"garbage":           {"\x00\x01", errProtocol},
		"empty message":     {"{}", errProtocol},
		"two results":       {good() + good(), errProtocol},
		"talk after result": {good() + `{"progress":{"position":1,"total":2}}`, errProtocol},
		"long line":         {`{"result":{"digest":"` + strings.Repeat("a", maxLine) + `"}}`, errProtocol},
		"backwards":         {`{"progress":{"position":2,"total":2}}` + "\n" + `{"progress":{"position":1,"total":2}}`, errProtocol},
		"beyond the total":  {`{"progress":{"position":3,"total":2}}`, errProtocol},
		"beyond the disk":   {`{"progress":{"position":3,"total":8193}}`, errProtocol},
		"negative":          {`{"progress":{"position":-1,"total":2}}`, errProtocol},
		"no digest":         {strings.Replace(good(), sum, "", 1), errProtocol},
		"short digest":      {strings.Replace(good(), sum, "abab", 1), errProtocol},
		"bytes do not add":  {strings.Replace(good(), "3072", "3073", 1), errProtocol},
		"larger than disk":  {strings.Replace(strings.Replace(good(), "3072", "9072", 1), ":4096", ":10096", 1), errProtocol},
		"wiped too much":    {strings.Replace(good(), `"wiped_bytes":4096`, `"wiped_bytes":4097`, 1), errProtocol},
		"unknown wipe":      {strings.Replace(good(), "zeroed without writing", "perhaps", 1), errProtocol},
		"unknown zeroing":   {strings.Replace(good(), "punch-hole", "prayer", 1), errProtocol},
	} {
		if got, err := listen(strings.NewReader(asked+tc.said), testJob(), allow, func() {}); !errors.Is(err, tc.want) {
			t.Errorf("%s: listen = %+v, %v, want %v", name, got, err, tc.want)
		}
	}
}

// TestListenGeometry refuses what no image is, and a result of what was not asked for.
func TestListenGeometry(t *testing.T) {
	t.Parallel()
	for _, said := range []string{
		good(),
		`{"geometry":{"format":"raw","disk_bytes":-512}}`,
		`{"geometry":{"format":"raw","disk_bytes":4097}}`,
		`{"geometry":{"format":"vhs","disk_bytes":4096}}`,
		`{"geometry":{"format":"raw","layers":["\u001b[2J"]}}`,
		`{"geometry":{"format":"raw","layers":["` + strings.Repeat(`xz","`, maxLayers) + `xz"]}}`,
	} {
		if got, err := listen(strings.NewReader(said), testJob(), allow, func() {}); !errors.Is(err, errProtocol) {
			t.Errorf("listen(%s) = %+v, %v, want %v", said, got, err, errProtocol)
		}
	}
}

// TestListenUnpacking: unpacking comes before the geometry, and is of as many bytes as are stored.
func TestListenUnpacking(t *testing.T) {
	t.Parallel()
	const unpacking = `{"progress":{"unpacking":true,"position":9999,"total":10000}}` + "\n"
	job := testJob()
	job.Stored = 10000
	var told []Progress
	job.Progress = func(p Progress) { told = append(told, p) }
	said := unpacking + asked + `{"progress":{"position":1,"total":4096}}` + "\n" + good()
	if _, err := listen(strings.NewReader(said), job, allow, func() {}); err != nil {
		t.Fatal(err)
	}
	if want := []Progress{{true, 9999, 10000}, {false, 1, 4096}}; !slices.Equal(told, want) {
		t.Errorf("the progress is %v, want %v", told, want)
	}
	for name, said := range map[string]string{
		"after the geometry": asked + unpacking,
		"another total":      strings.Replace(unpacking, "10000", "9999", 1),
		"no total":           strings.Replace(unpacking, "10000", "0", 1),
		"beyond the end":     strings.Replace(unpacking, "9999", "10001", 1),
		"backwards":          unpacking + strings.Replace(unpacking, "9999", "9998", 1),
	} {
		if _, err := listen(strings.NewReader(said), job, allow, func() {}); !errors.Is(err, errProtocol) {
			t.Errorf("%s: %v, want %v", name, err, errProtocol)
		}
	}
	job.Stored = 0 // of a stream
	if _, err := listen(strings.NewReader(strings.Replace(unpacking, "10000", "0", 1)+asked+good()), job, allow, func() {}); err != nil {
		t.Error(err)
	}
}

// TestListenFailure: a worker may name the image or the disk, nothing else,
// and cannot write to the terminal.
func TestListenFailure(t *testing.T) {
	t.Parallel()
	for said, want := range map[string]string{
		`{"failure":{"at":"from","what":"reading","cause":"bad","remedy":"again"}}`: "image: reading, on /image: bad; again",
		`{"failure":{"at":"to","what":"writing","cause":"full"}}`:                   "disk: writing, on /disk: full",
		`{"failure":{"at":"elsewhere","what":"x","cause":"y"}}`:                     "internal: x, on snf-image-worker: y",
		`{"failure":{"at":"to","what":"a\u001b[2J\nb","cause":"\u0007"}}`:           `disk: a\x1b[2J\nb, on /disk: \a`,
	} {
		_, err := listen(strings.NewReader(asked+said), testJob(), allow, func() {})
		if got := string(report.KindOf(err)) + ": " + err.Error(); got != want {
			t.Errorf("listen(%s) = %q, want %q", said, got, want)
		}
	}
	_, err := listen(strings.NewReader(`{"failure":{"at":"to","cause":"`+strings.Repeat("x", 3*report.MaxLine)+`"}}`), testJob(), allow, func() {})
	if n := len(err.Error()); n > 2*report.MaxLine {
		t.Errorf("a failure of %d bytes came through", n)
	}
}

func FuzzListen(f *testing.F) {
	f.Add(good())
	f.Add(`{"failure":{"at":"from","what":"reading","cause":"bad"}}`)
	f.Add(`{"progress":{"position":1,"total":2}}` + "\n" + good())
	f.Fuzz(func(t *testing.T, said string) {
		r, err := listen(strings.NewReader(asked+said), testJob(), allow, func() {})
		if err == nil && (r.ImageBytes > 8192 || r.DataBytes+r.ZeroedBytes != r.ImageBytes || len(r.Digest) != 2*digestSize) {
			t.Errorf("listen(%q) believed %+v", said, r)
		}
	})
}
