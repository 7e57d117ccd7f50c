package filesystem

import (
	"errors"
	"fmt"
	"math/bits"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// ErrFeature is the error of a file system that the helper cannot mount because of a
// feature of it.
var ErrFeature = errors.New("the helper does not know a feature of the file system")

// ErrExternal is the error of a file system that lies on several devices.
var ErrExternal = errors.New("a part of the file system is on another device")

// feature is a bit of a superblock that keeps a kernel that does not know it from
// mounting the file system for writing.
type feature struct {
	bit   uint
	name  string
	since string // the first version of Linux that knows it; "" for all that matter
}

// checkFeatures names the first of the features set in word that a kernel of that release
// does not know. Which word of the superblock it is, is said as what.
func checkFeatures(word uint64, what string, known []feature, release string) error {
	for _, f := range known {
		if word&(1<<f.bit) == 0 {
			continue
		}
		word &^= 1 << f.bit
		if !atLeast(release, f.since) {
			return fmt.Errorf("%w: %s (bit %d of %s), which takes Linux %s; the helper has %s",
				ErrFeature, f.name, f.bit, what, f.since, release)
		}
	}
	if word != 0 {
		return fmt.Errorf("%w: bit %d of %s, which no kernel known to this version has", ErrFeature, bits.TrailingZeros64(word), what)
	}
	return nil
}

// atLeast compares versions of Linux by their first two numbers.
func atLeast(release, since string) bool {
	if since == "" {
		return true
	}
	a, b := twoNumbers(release), twoNumbers(since)
	return a[0] > b[0] || a[0] == b[0] && a[1] >= b[1]
}

func twoNumbers(version string) (n [2]int) {
	for i, text := range strings.SplitN(version, ".", 3)[:min(2, strings.Count(version, ".")+1)] {
		n[i], _ = strconv.Atoi(text)
	}
	return n
}

// kernelRelease returns the version of the running kernel.
func kernelRelease() string {
	var name unix.Utsname
	if err := unix.Uname(&name); err != nil {
		return ""
	}
	return unix.ByteSliceToString(name.Release[:])
}
