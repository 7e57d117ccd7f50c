package corpus

// Script makes "out" of a disk, "disk.raw", in its directory; it is refused.
type Script struct {
	Format string // that it is deployed as
	Text   string
	Class  Class
	Error  string // a part of it
}

// Packed returns images in layers, and what is two things at once, by name.
func Packed() map[string]Script {
	return map[string]Script{
		"diskdump in gzip":   {"diskdump", "gzip -c disk.raw >out", Unnamed, "it is a gzip file, not a dump of a disk"},
		"qcow2 as raw":       {"raw", "qemu-img convert -O qcow2 disk.raw out", Unnamed, "it is a qcow2 image, not a dump of a disk"},
		"raw as qcow2":       {"qcow2", "gzip -c disk.raw >out", Refused, "it is not a qcow2 image"},
		"two disks in tar":   {"auto", "cp disk.raw b.raw; tar cf out disk.raw b.raw", Refused, "more than one disk"},
		"no disk in tar":     {"auto", "echo text >a; ln -s a b; tar cf out a b", Refused, "none of its members is a disk"},
		"empty tar":          {"auto", "tar cf out -T /dev/null", Refused, "nothing but 10240 zero bytes"},
		"empty tar in xz":    {"raw", "tar c -T /dev/null | xz >out", Refused, "as an archive without members does"},
		"tar without end":    {"auto", "tar cf out disk.raw; truncate -s $((512+3*1024*1024+512)) out", Truncated, "that end every archive are missing"},
		"tar with half end":  {"auto", "tar cf out disk.raw; truncate -s $((512+3*1024*1024+512+512)) out", Truncated, "that end every archive are missing"},
		"two small in tar":   {"auto", "echo text | gzip >a; cp a b; tar cf out a b", Refused, "more than one small compressed member"},
		"small text in tar":  {"auto", "echo text | gzip >a; tar cf out a", Odd, "5 bytes"},
		"fixed VHD":          {"auto", "qemu-img convert -O vpc -o subformat=fixed,force_size=on disk.raw out", Ambiguous, "both a raw image and a fixed VHD image"},
		"fixed VHD, dump":    {"diskdump", "qemu-img convert -O vpc -o subformat=fixed,force_size=on disk.raw out", Ambiguous, "both a dump of a disk and a fixed VHD image"},
		"fixed VHD in gzip":  {"auto", "qemu-img convert -O vpc -o subformat=fixed,force_size=on disk.raw a; gzip -c a >out", Ambiguous, "both a raw image and a fixed VHD image"},
		"VDI and VHD":        {"auto", "qemu-img convert -O vdi disk.raw out; qemu-img convert -O vpc -o subformat=fixed,force_size=on disk.raw a; tail -c 512 a >>out", Ambiguous, "both a VDI image and a fixed VHD image"},
		"VDI and MBR":        {"auto", `qemu-img convert -O vdi disk.raw out; printf '\x55\xaa' | dd of=out bs=1 seek=510 conv=notrunc`, Ambiguous, "both a VDI image and a disk with a boot sector"},
		"VMDK and VDI":       {"auto", `qemu-img convert -O vmdk disk.raw out; printf '\x7f\x10\xda\xbe' | dd of=out bs=1 seek=64 conv=notrunc`, Unnamed, "it is both a VMDK image and a VDI image"},
		"raw as VHD":         {"vhd", "cp disk.raw out", Refused, "it is not a VHD image, or its footer is missing"},
		"raw as VHD, packed": {"vhd", "gzip -c disk.raw >out", Refused, "it is not a VHD image, or its footer is missing"},
		"VHD cut":            {"vhd", "qemu-img convert -O vpc -o subformat=fixed,force_size=on disk.raw a; (head -c 1M a; tail -c 512 a) >out", Damaged, "its disk has 3146240 bytes, the file holds 1048576"},
		"VMDK as VDI":        {"vdi", "qemu-img convert -O vmdk disk.raw out", Refused, "it is a VMDK image, not a VDI image"},
		"VMDK, flat":         {"auto", "qemu-img convert -O vmdk -o subformat=monolithicFlat disk.raw out", Unnamed, "it is the descriptor of a VMDK image in several files"},
		"VMDK, split":        {"vmdk", "qemu-img convert -O vmdk -o subformat=twoGbMaxExtentSparse disk.raw a.vmdk; mv a-s001.vmdk out", Refused, "one of several files of a split VMDK"},
		"VMDK with a parent": {"auto", "qemu-img convert -O vmdk disk.raw a.vmdk; qemu-img create -f vmdk -F vmdk -b a.vmdk out", Refused, "differs from another image"},
		"tar of links":       {"auto", "touch $(seq -f l%g 1100); tar cf out l*", Refused, "more than 1000 members"},
		"too many layers":    {"auto", "gzip -c disk.raw | gzip | gzip | gzip | gzip >out", Refused, "more than 4 layers"},
		"odd inside":         {"auto", "(cat disk.raw; echo) | gzip >out", Odd, "1 too many"},
		"empty inside":       {"auto", "gzip </dev/null >out", Empty, ""},
		"damaged xz":         {"auto", "xz -c disk.raw >out; printf XXXX | dd of=out bs=1 seek=2000 conv=notrunc", Unnamed, "unpacking xz"},
		"large dictionary":   {"auto", "xz --lzma2=dict=256MiB -c disk.raw >out", Refused, "dictionary of more than"},
		"large window":       {"auto", "zstd -q --ultra --long=30 -c <disk.raw >out", Refused, "window of more than 128 MiB"},
		"damaged tar.gz":     {"auto", "tar c disk.raw | gzip -c >out; printf X | dd of=out bs=1 seek=1500000 conv=notrunc", Damaged, "unpacking gzip"},
		"damaged tar.lz4":    {"auto", "tar c disk.raw | lz4 -q -c >out; printf X | dd of=out bs=1 seek=1500000 conv=notrunc", Damaged, "unpacking lz4"},
		"LZ4 without end":    {"auto", "head -c 2M /dev/urandom | lz4 -q -B4 --no-frame-crc -c >out; truncate -s $((7+20*(65536+4))) out", Truncated, "unpacking lz4"},
		"frame to skip":      {"auto", `printf '\x55\x2a\x4d\x18\x04\x00\x00\x00abcd' >out; zstd -q -c <disk.raw >>out`, Unnamed, "begins with a frame to skip"},
		"qcow2 and MBR":      {"auto", `qemu-img convert -O qcow2 disk.raw out; printf '\x55\xaa' | dd of=out bs=1 seek=510 conv=notrunc`, Ambiguous, "both a qcow2 image and a disk with a boot sector"},
	}
}
