// Package oracle asks independent tools about disk images: is the partition
// table sound, are the file systems clean, what is in them, and what differs
// between two of them.
//
// It looks through read-only loop devices and read-only mounts, and never
// changes a disk.
package oracle

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// Table is what sfdisk says about a partition table.
type Table struct {
	Label      string      `json:"label"`
	ID         string      `json:"id"`
	Partitions []Partition `json:"partitions"`
}

// Partition is one entry of the table; positions are in sectors of 512 bytes.
type Partition struct {
	Node     string `json:"node"`
	Start    int64  `json:"start"`
	Size     int64  `json:"size"`
	Type     string `json:"type"`
	UUID     string `json:"uuid"`
	Name     string `json:"name"`
	Attrs    string `json:"attrs"`
	Bootable bool   `json:"bootable"`
}

// End returns the first sector behind p.
func (p Partition) End() int64 { return p.Start + p.Size }

// ReadTable returns the partition table of disk, partitions by number.
func ReadTable(t testing.TB, disk string) (Table, map[int]Partition) {
	t.Helper()
	var out struct{ Partitiontable Table }
	if err := json.Unmarshal([]byte(tool(t, "sfdisk", "--json", disk)), &out); err != nil {
		t.Fatalf("reading the table of %s: %v", disk, err)
	}
	numbered := map[int]Partition{}
	for _, p := range out.Partitiontable.Partitions {
		numbered[number(p.Node, disk)] = p
	}
	return out.Partitiontable, numbered
}

// number is what follows the name of the disk in that of a partition, behind a
// p when the disk's name ends in a digit.
func number(node, disk string) int {
	n := 0
	for _, c := range strings.TrimPrefix(strings.TrimPrefix(node, disk), "p") {
		n = 10*n + int(c-'0')
	}
	return n
}

// Sound fails the test unless sfdisk, sgdisk (for GPT) and e2fsck (for every
// ext file system) find nothing wrong with disk.
func Sound(t testing.TB, disk string) {
	t.Helper()
	if out := tool(t, "sfdisk", "--verify", disk); !strings.Contains(out, "No errors detected") {
		t.Errorf("sfdisk --verify %s:\n%s", disk, out)
	}
	table, parts := ReadTable(t, disk)
	if table.Label == "gpt" {
		if out := tool(t, "sgdisk", "-v", disk); !strings.Contains(out, "No problems found") {
			t.Errorf("sgdisk -v %s:\n%s", disk, out)
		}
	}
	for n, p := range parts {
		withLoop(t, disk, p, func(dev string) {
			if err := soundFS(dev); err != nil {
				t.Errorf("partition %d of %s: %v", n, disk, err)
			}
		})
	}
}

// SoundFS fails the test unless disk, without a partition table, is one sound file system.
func SoundFS(t testing.TB, disk string) {
	t.Helper()
	if err := soundFS(disk); err != nil {
		t.Errorf("%s: %v", disk, err)
	}
}

// soundFS has the file system on dev checked by its makers' own program, if it is of a
// kind that is known here.
func soundFS(dev string) error {
	args := map[string][]string{
		"ext2": {"e2fsck", "-fn"}, "ext3": {"e2fsck", "-fn"}, "ext4": {"e2fsck", "-fn"},
		"xfs": {"xfs_repair", "-n"}, "btrfs": {"btrfs", "check", "--readonly"},
		"ntfs": {"ntfsresize", "--info", "--force", "--force", "--no-progress-bar"},
	}[fsType(dev)]
	if args == nil {
		return nil
	}
	if out, err := command(append(args, dev)...).CombinedOutput(); err != nil {
		return fmt.Errorf("%q: %w\n%s", args, err, out)
	}
	return nil
}

// FSBytes returns the size of the file system in partition n, or of the one on the whole
// disk for 0, in bytes.
func FSBytes(t testing.TB, disk string, n int) int64 {
	t.Helper()
	if n == 0 {
		return fsBytes(t, disk)
	}
	_, parts := ReadTable(t, disk)
	var size int64
	withLoop(t, disk, parts[n], func(dev string) { size = fsBytes(t, dev) })
	return size
}

func fsBytes(t testing.TB, dev string) int64 {
	t.Helper()
	switch fsType(dev) {
	case "xfs":
		out := strings.ReplaceAll(tool(t, "xfs_db", "-r", "-c", "sb 0", "-c", "print dblocks blocksize", dev), " =", ":")
		return field(t, out, "dblocks:") * field(t, out, "blocksize:")
	case "ntfs":
		// Of another program than ntfsresize, which grows it; the copy of the boot sector
		// comes on top.
		return field(t, tool(t, "ntfsinfo", "--mft", "--force", dev), "Volume Size in Clusters:") * field(t, tool(t, "ntfsinfo", "--mft", "--force", dev), "Cluster Size:")
	case "btrfs":
		return field(t, tool(t, "btrfs", "inspect-internal", "dump-super", dev), "dev_item.total_bytes")
	}
	out := tool(t, "dumpe2fs", "-h", dev)
	return field(t, out, "Block count:") * field(t, out, "Block size:")
}

// Signatures returns the types of all signatures that wipefs finds in partition n of
// disk, or on the whole disk for 0, sorted.
func Signatures(t testing.TB, disk string, n int) []string {
	t.Helper()
	p := Partition{Size: Size(t, disk) / 512}
	if n > 0 {
		_, parts := ReadTable(t, disk)
		p = parts[n]
	}
	var types []string
	withLoop(t, disk, p, func(dev string) {
		types = strings.Fields(tool(t, "wipefs", "--no-act", "--noheadings", "--output", "TYPE", dev))
	})
	slices.Sort(types)
	return slices.Compact(types)
}

// fsType returns what blkid calls the file system on dev, "" for none.
func fsType(dev string) string {
	out, _ := command("blkid", "-p", "-s", "TYPE", "-o", "value", dev).Output()
	return strings.TrimSpace(string(out))
}

// command makes a command with the directories of system tools in its path.
func command(args ...string) *exec.Cmd {
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	return cmd
}

func tool(t testing.TB, args ...string) string {
	t.Helper()
	out, err := command(args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%q: %v\n%s", args, err, out)
	}
	return string(out)
}

// field returns the number behind a label in the output of dumpe2fs.
func field(t testing.TB, out, label string) int64 {
	t.Helper()
	_, rest, ok := strings.Cut(out, label)
	var n int64
	for _, c := range strings.TrimSpace(strings.SplitN(rest, "\n", 2)[0]) {
		n = 10*n + int64(c-'0')
	}
	if !ok || n <= 0 {
		t.Fatalf("no %s in the output of dumpe2fs:\n%s", label, out)
	}
	return n
}
