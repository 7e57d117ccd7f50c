// Package platform finds out what a disk asks of its machine: the firmware that starts it, and
// the processor that its programs need.
//
// It changes nothing and runs nothing. A hostile image gets no error out of it and no wait:
// what cannot be read is as if it were not there.
package platform

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"fmt"
	"io"
	"slices"
	"strings"

	"snf-image/internal/guest/rootfs"
)

// The firmwares.
const (
	BIOS = "bios"
	UEFI = "uefi"
)

// Types of partitions, in an MBR and in a GPT.
const (
	efiSystem    = "C12A7328-F81F-11D2-BA4B-00A0C93EC93B"
	efiSystemMBR = "ef"
)

// Sector is how many bytes at the beginning of a disk HasCode looks at.
const Sector = 512

// codeSize is how many bytes of the first sector hold boot code, before the number of the
// disk.
const codeSize = 440

// HasCode reports whether the first sector of a disk holds code for a BIOS to start: it ends
// with the mark, and does not begin with zeros alone.
func HasCode(sector []byte) bool {
	return len(sector) >= Sector && sector[510] == 0x55 && sector[511] == 0xaa &&
		len(bytes.TrimLeft(sector[:codeSize], "\x00")) > 0
}

// The first sector of GRUB 2 (its source, grub-core/boot/i386/pc/boot.S): how it begins, and
// where it has the number of the sector with which its core begins.
const (
	grubJump   = "\xeb\x63\x90"
	grubCoreAt = 0x5c
)

// tableSectors is how many sectors at the beginning of a disk a GPT has for itself.
const tableSectors = 34

// LostCore returns why the code of GRUB in the first sector of a disk does not find the rest of
// GRUB; "" where it does, and for any other code. It lies in the BIOS boot partition of a GPT.
// A disk that had an MBR once has it where the GPT is now, which starts nothing.
func LostCore(disk io.ReaderAt, sector []byte, gpt bool) string {
	if !HasCode(sector) || !bytes.HasPrefix(sector, []byte(grubJump)) {
		return ""
	}
	at := binary.LittleEndian.Uint64(sector[grubCoreAt:])
	core := make([]byte, Sector)
	switch {
	case at == 0, gpt && at < tableSectors:
		return fmt.Sprintf("GRUB in the first sector looks for its core in sector %d, where the partition table is", at)
	case at > 1<<48:
		return fmt.Sprintf("GRUB in the first sector looks for its core in sector %d, which no disk has", at)
	}
	if _, err := disk.ReadAt(core, int64(at)*Sector); err != nil || len(bytes.Trim(core, "\x00")) == 0 {
		return fmt.Sprintf("GRUB in the first sector looks for its core in sector %d, where nothing is", at)
	}
	return ""
}

// IsESP reports whether a partition of that type is for the files that a UEFI firmware starts.
func IsESP(partitionType string) bool {
	return partitionType == efiSystem || strings.EqualFold(partitionType, efiSystemMBR)
}

// maxLoaders is more than there are architectures.
const maxLoaders = 16

// Loaders returns the names of the loaders in an EFI system partition that a firmware starts
// which knows nothing of the disk yet (UEFI 2.10, section 3.5.1.1): BOOTX64.EFI.
func Loaders(esp *rootfs.Root) []string {
	dir := member(esp, member(esp, "/", "EFI"), "BOOT")
	names, err := esp.ReadDir(dir)
	if dir == "" || err != nil {
		return nil
	}
	var found []string
	for _, n := range names {
		upper := strings.ToUpper(n)
		if strings.HasPrefix(upper, "BOOT") && strings.HasSuffix(upper, ".EFI") && esp.IsRegular(dir+"/"+n) && len(found) < maxLoaders {
			found = append(found, upper)
		}
	}
	return found
}

// member returns the path of a directory of that name in any case, "" for none. A FAT file
// system keeps the case in which a name was written.
func member(root *rootfs.Root, dir, name string) string {
	if dir == "" {
		return ""
	}
	names, err := root.ReadDir(dir)
	if err != nil {
		return ""
	}
	if i := slices.IndexFunc(names, func(n string) bool { return strings.EqualFold(n, name) }); i >= 0 {
		return strings.TrimSuffix(dir, "/") + "/" + names[i]
	}
	return ""
}

// Modes returns the firmwares that start a disk with or without code in its first sector, and
// with these loaders.
func Modes(code bool, loaders []string) []string {
	var modes []string
	if code {
		modes = append(modes, BIOS)
	}
	if len(loaders) > 0 {
		modes = append(modes, UEFI)
	}
	return modes
}

// Levels are the names of the levels of the x86-64 processor, the lowest first (x86-64 psABI).
func levels() []string { return []string{"x86-64", "x86-64-v2", "x86-64-v3", "x86-64-v4"} }

// highest returns the higher one of two levels; "" is below all.
func highest(a, b string) string {
	if cmp.Compare(slices.Index(levels(), a), slices.Index(levels(), b)) < 0 {
		return b
	}
	return a
}
