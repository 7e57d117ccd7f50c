// Package filesystem finds out what file system lies on a device, checks it,
// grows it, and mounts it for the tasks.
//
// Everything happens inside the helper, on devices whose content is hostile.
// Nothing is mounted with devices, set-id programs or programs to run: nodev,
// nosuid and noexec are on every mount.
//
// It is a little larger because each file system that is checked and grown has its superblock
// and the names of its features here.
package filesystem

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"snf-image/internal/command"
)

// Volume is a device that may hold a file system, and what is known of it.
//
// Its name is that by which the root is known: "disk-a3" for a partition of the first
// disk, "disk-b" for a disk without a partition table, "disk-a3:root" for a volume of LVM
// that begins there.
type Volume struct {
	Name   string
	Parent string // name of what it lies in, empty for a disk
	Path   string // device, empty for a volume of LVM that is not mapped
	Disk   int    // index of the disk of the instance
	Number int    // partition, 0 for a whole disk
	Type   string // blkid's TYPE, empty when nothing is recognized
	// Subvolume is the mount option that selects one of the subvolumes: "subvol=/@".
	Subvolume string
	UUID      string
	Label     string
	PartUUID  string
	PartLabel string
	// Group and Logical are the names of a volume of LVM: its group and its own. They are
	// empty for anything else.
	Group, Logical string
}

// Probe fills in what blkid says of each volume that has a device: type, UUID and label.
func Probe(ctx context.Context, volumes []Volume) error {
	for len(volumes) > 0 {
		if volumes[0].Path == "" {
			volumes = volumes[1:]
			continue
		}
		next := slices.IndexFunc(volumes, func(v Volume) bool { return v.Path == "" })
		if next < 0 {
			next = len(volumes)
		}
		done, err := probe(ctx, volumes[:next])
		if err != nil {
			return fmt.Errorf("probing for file systems: %w", err)
		}
		volumes = volumes[done:]
	}
	return nil
}

// probe asks blkid about all volumes and returns for how many it answered: it
// stops at the first on which it recognizes nothing, or several things.
func probe(ctx context.Context, volumes []Volume) (done int, err error) {
	args := []string{"blkid", "-p", "-o", "export"}
	for _, v := range volumes {
		args = append(args, v.Path)
	}
	out, err := command.Run(ctx, command.Cmd{Args: args})
	if exit, ok := errors.AsType[*command.ExitError](err); ok && (exit.Code == 2 || exit.Code == 8) {
		err = nil
	}
	if err != nil {
		return 0, err
	}
	found := parseBlkid(out)
	for i := range volumes {
		v := &volumes[i]
		tags, ok := found[v.Path]
		if !ok {
			return i + 1, nil
		}
		v.Type, v.UUID, v.Label = tags["TYPE"], tags["UUID"], tags["LABEL"]
	}
	return len(volumes), nil
}

// parseBlkid reads blkid's export format: a block of NAME=value lines for each
// device, values with backslashes before special characters.
func parseBlkid(out []byte) map[string]map[string]string {
	found := map[string]map[string]string{}
	tags := map[string]string{}
	for line := range bytes.Lines(out) {
		name, value, ok := strings.Cut(strings.TrimRight(string(line), "\n"), "=")
		if !ok {
			continue
		}
		if name == "DEVNAME" {
			tags = map[string]string{}
			found[value] = tags
		}
		tags[name] = unescape(value)
	}
	return found
}

func unescape(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) {
			i++
		}
		b.WriteByte(s[i])
	}
	return b.String()
}
