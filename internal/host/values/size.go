package values

import (
	"fmt"
	"math/bits"
	"strconv"
	"strings"

	"snf-image/internal/host/problem"
)

// maxSize bounds sizes at 8 EiB - 1, what fits an off_t.
const maxSize = 1<<63 - 1

// ParseSize reads a size in bytes: decimal digits and an optional suffix K, M,
// G, T or P, in either case, optionally followed by "iB" or "B". Suffixes are powers
// of 1024. Zero is not a size.
func ParseSize(s string) (int64, error) {
	digits := strings.TrimRight(s, "KMGTPkmgtpiB")
	shift, ok := sizeShift(s[len(digits):])
	n, err := strconv.ParseUint(digits, 10, 64)
	if !ok || err != nil || strings.HasPrefix(digits, "+") {
		return 0, fmt.Errorf("%s: %w: expected a number with a suffix K, M, G or T, as in 10G", problem.Quote(s), ErrSize)
	}
	high, low := bits.Mul64(n, 1<<shift)
	if n == 0 || high > 0 || low > maxSize {
		return 0, fmt.Errorf("%s: %w: out of range", problem.Quote(s), ErrSize)
	}
	return int64(low), nil
}

// sizeShift returns the power of two of a suffix.
func sizeShift(suffix string) (uint, bool) {
	if suffix == "" || suffix == "B" {
		return 0, true
	}
	power := strings.Index("KMGTP", strings.ToUpper(suffix[:1]))
	switch suffix[1:] {
	case "", "B", "iB":
		return uint(10 * (power + 1)), power >= 0
	}
	return 0, false
}
