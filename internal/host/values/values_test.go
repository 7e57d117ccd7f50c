package values

import (
	"errors"
	"strings"
	"testing"

	"snf-image/internal/spec"

	"github.com/google/go-cmp/cmp"
)

func TestParseSize(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]int64{
		"1": 1, "512M": 512 << 20, "10G": 10 << 30, "10g": 10 << 30, "10GiB": 10 << 30, "10GB": 10 << 30, "1k": 1024,
		"2T": 2 << 40, "7P": 7 << 50, "12B": 12, "9223372036854775807": maxSize,
	} {
		if got, err := ParseSize(in); got != want || err != nil {
			t.Errorf("ParseSize(%q) = %d, %v, want %d", in, got, err, want)
		}
	}
	for _, in := range []string{
		"", "G", "0", "0G", "-1", "+1", "1.5G", "1 G", "10X", "10GG", "10iB", "9223372036854775808", "8192P", "18446744073709551616", "99999999999999999P", "1e3", "0x10",
	} {
		if got, err := ParseSize(in); !errors.Is(err, ErrSize) {
			t.Errorf("ParseSize(%q) = %d, %v, want %v", in, got, err, ErrSize)
		}
	}
}

func FuzzParseSize(f *testing.F) {
	f.Add("10GiB")
	f.Fuzz(func(t *testing.T, in string) {
		if got, err := ParseSize(in); err == nil && got <= 0 {
			t.Errorf("ParseSize(%q) = %d", in, got)
		}
	})
}

func TestCheckHostname(t *testing.T) {
	t.Parallel()
	label := strings.Repeat("a", 63)
	long := strings.Join([]string{label, label, label, strings.Repeat("a", 61)}, ".")
	for _, name := range []string{"web1", "web1.example.org", "3com.com", "A-B", label, long, "127"} {
		if err := CheckHostname(name); err != nil {
			t.Errorf("CheckHostname(%q) = %v", name, err)
		}
	}
	for _, name := range []string{"", ".", "a.", ".a", "a..b", "-a", "a-", "a_b", "a b", "ä", label + "a", long + "a", "a/b", "a\n"} {
		if err := CheckHostname(name); !errors.Is(err, ErrHostname) {
			t.Errorf("CheckHostname(%q) = %v, want %v", name, err, ErrHostname)
		}
	}
}

func TestParseSwap(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]spec.Swap{
		"2:1024": {Partition: 2, MiB: 1024}, "128:1": {Partition: 128, MiB: 1}, "b": {Disk: 1}, "C": {Disk: 2},
	} {
		if got, err := ParseSwap(in, 3); err != nil || *got != want {
			t.Errorf("ParseSwap(%q) = %v, %v, want %v", in, got, err, want)
		}
	}
	for _, in := range []string{
		"", "a", "A", "d", "bc", "0:5", "129:5", "02:5", "2:05", "2:0", "2:", ":5", "2:5M", "2:-5", "2:16777217", "2:99999999999999999999", "é", "[", "2 :5",
	} {
		if got, err := ParseSwap(in, 3); !errors.Is(err, ErrSwap) {
			t.Errorf("ParseSwap(%q) = %v, %v, want %v", in, got, err, ErrSwap)
		}
	}
}

func FuzzParseSwap(f *testing.F) {
	f.Add("2:1024")
	f.Add("b")
	f.Fuzz(func(t *testing.T, in string) {
		s, err := ParseSwap(in, 3)
		if err != nil {
			return
		}
		whole := s.Disk > 0 && s.Disk < 3 && s.Partition == 0 && s.MiB == 0
		part := s.Disk == 0 && s.Partition >= 1 && s.Partition <= 128 && s.MiB > 0
		if !whole && !part {
			t.Errorf("ParseSwap(%q) = %+v", in, s)
		}
	})
}

func TestParseFileFlag(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]FileFlag{
		"motd:/etc/motd":                {"motd", spec.File{Path: "/etc/motd", Mode: 0o440}},
		"a/b:/c:0644":                   {"a/b", spec.File{Path: "/c", Mode: 0o644}},
		"a:/c:4755:www":                 {"a", spec.File{Path: "/c", Mode: 0o4755, Owner: "www"}},
		"a:/c::www:adm":                 {"a", spec.File{Path: "/c", Mode: 0o440, Owner: "www", Group: "adm"}},
		"-:/etc/ssl/private/k e y:0400": {"-", spec.File{Path: "/etc/ssl/private/k e y", Mode: 0o400}},
	} {
		got, err := ParseFileFlag(in)
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("ParseFileFlag(%q) = %v, %v (-want +got):\n%s", in, got, err, diff)
		}
	}
	for _, in := range []string{"", "a", ":/b", "a:", "a:b", "a:/", "a:/b/", "a:/b/..", "a:/b:888", "a:/b:10000", "a:/b:rw", "a:/b:0644:r:g:x", "a:/b\n", "a:/b:0644:r\n"} {
		if got, err := ParseFileFlag(in); !errors.Is(err, ErrFileFlag) {
			t.Errorf("ParseFileFlag(%q) = %v, %v, want %v", in, got, err, ErrFileFlag)
		}
	}
}
