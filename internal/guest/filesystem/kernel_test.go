package filesystem

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestQuote(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("ä", maxKernelText)
	for _, tt := range []struct {
		name    string
		records []string
		want    string
	}{
		{"nothing", nil, ""},
		{"information only", []string{"6,1,2,-;EXT4-fs (dm-1): mounted filesystem\n"}, ""},
		{"errors and warnings", []string{
			"6,1,2,-;dm-1: detected capacity change\n", "3,2,2,-;EXT4-fs (dm-1): bad geometry\n SUBSYSTEM=block\n", "4,3,2,-;and more\n",
		}, "EXT4-fs (dm-1): bad geometry, and more"},
		{"a facility", []string{"11,1,2,-;said by a daemon\n"}, "said by a daemon"},
		{"the first ones", []string{"3,1;a", "3,2;b", "3,3;c", "3,4;d"}, "a, b, c"},
		{"no records", []string{"", ";", "x;y", "3"}, ""},
		{"too long", []string{"3,1;" + long}, strings.Repeat("ä", maxKernelText/2)},
	} {
		if got := quote(tt.records); got != tt.want {
			t.Errorf("%s: quote = %q, want %q", tt.name, got, tt.want)
		}
	}
}

func TestUnsupported(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		err  error
		want bool
	}{
		{fmt.Errorf("mounting: %w", &kernelError{unix.EINVAL, "couldn't mount because of unsupported optional features (800)"}), true},
		{fmt.Errorf("mounting: %w", unix.ENODEV), true},
		{fmt.Errorf("mounting: %w", &kernelError{unix.EUCLEAN, "group descriptors corrupted!"}), false},
		{errors.New("unsupported"), false},
	} {
		if got := Unsupported(tt.err); got != tt.want {
			t.Errorf("Unsupported(%v) = %v, want %v", tt.err, got, tt.want)
		}
	}
}
