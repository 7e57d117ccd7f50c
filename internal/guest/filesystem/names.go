package filesystem

import "math/bits"

// Names of the features of ext2, ext3 and ext4, as e2fsprogs has them, by the bits of each
// word.
var (
	extCompatible = []feature{
		{0, "dir_prealloc", ""},
		{1, "imagic_inodes", ""},
		{2, "has_journal", ""},
		{3, "ext_attr", ""},
		{4, "resize_inode", ""},
		{5, "dir_index", ""},
		{9, "sparse_super2", ""},
		{10, "fast_commit", ""},
		{11, "stable_inodes", ""},
		{12, "orphan_file", ""},
	}
	extIncompatible = []feature{
		{1, "filetype", ""},
		{2, "needs_recovery", ""},
		{3, "journal_dev", ""},
		{4, "meta_bg", ""},
		{6, "extent", ""},
		{7, "64bit", ""},
		{8, "mmp", ""},
		{9, "flex_bg", ""},
		{10, "ea_inode", ""},
		{12, "dirdata", ""},
		{13, "metadata_csum_seed", ""},
		{14, "large_dir", ""},
		{15, "inline_data", ""},
		{16, "encrypt", ""},
		{17, "casefold", ""},
	}
	extReadOnly = []feature{
		{0, "sparse_super", ""},
		{1, "large_file", ""},
		{3, "huge_file", ""},
		{4, "uninit_bg", ""},
		{5, "dir_nlink", ""},
		{6, "extra_isize", ""},
		{8, "quota", ""},
		{9, "bigalloc", ""},
		{10, "metadata_csum", ""},
		{12, "read-only", ""},
		{13, "project", ""},
		{15, "verity", ""},
		{16, "orphan_present", ""},
	}
)

// Features names the features of the file system on a volume; one without a name here is
// left out.
func Features(v Volume) []string {
	switch v.Type {
	case "ext2", "ext3", "ext4":
		s, _, err := readSuper(v.Path)
		if err != nil {
			return nil
		}
		return append(append(named(s.u32(superCompat), extCompatible), named(s.u32(superFeatures), extIncompatible)...), named(s.u32(superReadOnly), extReadOnly)...)
	case "xfs":
		s, _, err := readXFS(v.Path)
		if err != nil || s.version() != 5 {
			return nil
		}
		return append(named(s.u32(xfsIncompat), xfsFeatures), named(s.u32(xfsReadOnly), xfsReadOnlyFeatures)...)
	case "btrfs":
		s, _, err := readBtrfs(v.Path)
		if err != nil {
			return nil
		}
		return append(named(s.u64(btrfsIncompat), btrfsFeatures), named(s.u64(btrfsReadOnly), btrfsReadOnlyFeatures)...)
	}
	return nil
}

// named returns the names of the bits that are set.
func named(word uint64, known []feature) []string {
	names := make([]string, 0, bits.OnesCount64(word))
	for _, f := range known {
		if word&(1<<f.bit) != 0 {
			names = append(names, f.name)
		}
	}
	return names
}
