package filesystem

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestFeatureNames names the features of ext as dumpe2fs does.
func TestFeatureNames(t *testing.T) {
	t.Parallel()
	for _, options := range []string{"-t ext2", "-t ext3", "-t ext4", "-t ext4 -O 64bit,metadata_csum,inline_data,quota,encrypt,casefold,verity,bigalloc"} {
		path := file(t, 64, append([]string{"mke2fs", "-q"}, strings.Fields(options)...)...)
		_, line, _ := strings.Cut(run(t, "dumpe2fs", "-h", path), "Filesystem features:")
		line, _, _ = strings.Cut(line, "\n")
		want, got := strings.Fields(line), Features(Volume{Type: "ext4", Path: path})
		slices.Sort(want)
		slices.Sort(got)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: features (-dumpe2fs +ours):\n%s", options, diff)
		}
	}
	xfs := Features(Volume{Type: "xfs", Path: file(t, 320, "mkfs.xfs", "-q", "-m", "reflink=1,bigtime=1", "-f")})
	btrfs := Features(Volume{Type: "btrfs", Path: file(t, 128, "mkfs.btrfs", "-q", "-f")})
	if !slices.Contains(xfs, "bigtime") || !slices.Contains(xfs, "reflink") || len(btrfs) == 0 {
		t.Errorf("XFS %v, btrfs %v", xfs, btrfs)
	}
	if got := Features(Volume{Type: "ext4", Path: file(t, 1)}); got != nil {
		t.Errorf("features of nothing: %v", got)
	}
}
