package images

// The partition types the layouts use, as sfdisk takes them.
const (
	linuxGPT = "0FC63DAF-8483-4772-8E79-3D69D8477DE4"
	espGPT   = "C12A7328-F81F-11D2-BA4B-00A0C93EC93B"
	biosGPT  = "21686148-6449-6E6F-744E-656564454649"
)

// Root returns a partition with the given root file system, 64 MiB.
func Root(number int, start int64, fs string, tree Tree) Part {
	return Part{
		Number: number, Start: start, MiB: 64, Type: "83",
		FS: fs, Label: "root", FSUUID: RootUUID, Tree: tree,
	}
}

// onGPT makes a partition one of a GPT.
func (p Part) onGPT(name string) Part {
	p.Type, p.Name = linuxGPT, name
	return p
}

func data(number int, start int64) Part {
	return Part{
		Number: number, Start: start, MiB: 16, Type: "83",
		FS: "ext4", Label: "data", FSUUID: DataUUID, Tree: Tree{{Path: "kept", Data: "kept\n"}},
	}
}

// Primary is an MBR with the root as its only partition.
func Primary(fs string, tree Tree) Image {
	p := Root(1, 1, fs, tree)
	p.Boot = true
	return Image{Label: "dos", MiB: 66, Parts: []Part{p}}
}

// Whole is a disk without a partition table, one file system with the root.
func Whole(fs string, mib int64, tree Tree) Image {
	p := Root(0, 0, fs, tree)
	p.MiB = mib
	return Image{MiB: mib, Parts: []Part{p}}
}

// Logical is an MBR with a boot partition, swap and the root in an extended
// partition, the root last.
func Logical(tree Tree) Image {
	boot := data(1, 1)
	boot.Boot = true
	return Image{Label: "dos", MiB: 100, Parts: []Part{
		boot,
		{Number: 2, Start: 17, MiB: 82, Type: "5", FS: "-"},
		{Number: 5, Start: 18, MiB: 8, Type: "82", FS: "swap", FSUUID: SwapUUID},
		Root(6, 27, "ext4", tree),
	}}
}

// Backwards is an MBR whose entries stand in reverse order of their places:
// the last partition of the disk, the root, is number 1.
func Backwards(tree Tree) Image {
	return Image{Label: "dos", MiB: 82, Parts: []Part{data(2, 1), Root(1, 17, "ext4", tree)}}
}

// DataLast is an MBR with the root first and a data partition last.
func DataLast(tree Tree) Image {
	return Image{Label: "dos", MiB: 82, Parts: []Part{Root(1, 1, "ext4", tree), data(2, 65)}}
}

// GPT has a BIOS boot partition, an EFI system partition and the root last.
func GPT(fs string, tree Tree) Image {
	return Image{Label: "gpt", MiB: 76, Parts: []Part{
		{Number: 1, Start: 1, MiB: 1, Type: biosGPT, Name: "bios"},
		{Number: 2, Start: 2, MiB: 8, Type: espGPT, Name: "esp", FS: "vfat"},
		Root(3, 10, fs, tree).onGPT("root"),
	}}
}

// GPTMiddle has the root between the EFI system partition and data.
func GPTMiddle(tree Tree) Image {
	return Image{Label: "gpt", MiB: 92, Parts: []Part{
		{Number: 1, Start: 1, MiB: 8, Type: espGPT, Name: "esp", FS: "vfat"},
		Root(2, 9, "ext4", tree).onGPT("root"),
		data(3, 73).onGPT("data"),
	}}
}

// GPTCloud is numbered as cloud images are: the root is partition 1 and last
// on the disk, behind 14 and 15.
func GPTCloud(tree Tree) Image {
	return Image{Label: "gpt", MiB: 76, Parts: []Part{
		{Number: 14, Start: 1, MiB: 1, Type: biosGPT},
		{Number: 15, Start: 2, MiB: 8, Type: espGPT, FS: "vfat"},
		Root(1, 10, "ext4", tree).onGPT("root"),
	}}
}
