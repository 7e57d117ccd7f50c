package values

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"snf-image/internal/spec"
)

// maxSwapMiB bounds a swap partition at 16 TiB, far beyond any use.
const maxSwapMiB = 16 << 20

// MaxDisks is how many disks have a letter.
const MaxDisks = 26

var swapPartition = regexp.MustCompile(`^([1-9][0-9]{0,2}):([1-9][0-9]{0,8})$`)

// ParseSwap reads the property SWAP: "PARTITION:SIZE_MB", or the letter of a
// whole disk among the disks of the instance.
func ParseSwap(s string, disks int) (*spec.Swap, error) {
	if m := swapPartition.FindStringSubmatch(s); m != nil {
		number, _ := strconv.Atoi(m[1])
		mib, _ := strconv.ParseInt(m[2], 10, 64)
		if number > 128 || mib > maxSwapMiB {
			return nil, fmt.Errorf("%w: partition 1 to 128 and at most %d MB", ErrSwap, maxSwapMiB)
		}
		return &spec.Swap{Partition: number, MiB: mib}, nil
	}
	if len(s) != 1 || strings.ToLower(s) < "a" || strings.ToLower(s) > "z" {
		return nil, fmt.Errorf("%w: expected PARTITION:SIZE_MB, as in 2:1024, or the letter of a disk", ErrSwap)
	}
	disk := int(strings.ToLower(s)[0] - 'a')
	if disk == 0 {
		return nil, fmt.Errorf("%w: disk a holds the system", ErrSwap)
	}
	if disk >= disks {
		return nil, fmt.Errorf("%w: disk %s is not there, the instance has %d", ErrSwap, strings.ToLower(s), disks)
	}
	return &spec.Swap{Disk: disk}, nil
}
