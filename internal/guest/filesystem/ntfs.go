package filesystem

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"
	"strings"

	"golang.org/x/sys/unix"

	"snf-image/internal/command"
	"snf-image/internal/spec"
)

// Errors about an NTFS file system that only Windows can bring in order.
var (
	// ErrHibernated is the error of one whose Windows was not shut down, but sleeps.
	ErrHibernated = errors.New("its Windows is hibernated, was shut down by fast startup, or was stopped by force")
	// ErrMarked is the error of one that Windows is to check when it starts.
	ErrMarked = errors.New("it is marked as dirty: Windows is going to check it")
	// ErrBadSectors is the error of one on a disk that had bad sectors.
	ErrBadSectors = errors.New("it has a list of bad sectors")
)

// Offsets in the boot sector of NTFS, the first sector of its device. All numbers are
// little-endian. A copy lies behind the last sector of the file system.
const (
	ntfsSector  = 11 // bytes
	ntfsCluster = 13 // sectors, or minus a power of two
	ntfsSectors = 40
	ntfsMark    = "NTFS    "
	ntfsMarkAt  = 3
)

// ntfsBoot is a boot sector of NTFS.
type ntfsBoot struct {
	sector, cluster int64 // bytes
	sectors         int64 // without the copy of the boot sector
}

// readNTFS returns the boot sector of the file system on device, and the size of the
// device.
func readNTFS(device string) (b ntfsBoot, size int64, err error) {
	s := make([]byte, 512)
	if size, err = readAt(device, s, 0); err != nil {
		return b, 0, err
	}
	if string(s[ntfsMarkAt:][:len(ntfsMark)]) != ntfsMark {
		return b, 0, errors.New("no NTFS file system")
	}
	b.sector = int64(binary.LittleEndian.Uint16(s[ntfsSector:]))
	sectors := int64(s[ntfsCluster])
	if sectors > 128 { // minus a power of two
		sectors = 1 << min(256-sectors, 32)
	}
	b.cluster = b.sector * sectors
	b.sectors = int64(min(binary.LittleEndian.Uint64(s[ntfsSectors:]), 1<<62))
	switch {
	case b.sector < 256 || b.sector > 4096 || bits.OnesCount64(uint64(b.sector)) != 1,
		bits.OnesCount64(uint64(sectors)) != 1, b.cluster > 2<<20, b.sectors == 0, b.sectors > 1<<62/b.sector:
		return b, 0, errors.New("the boot sector contradicts itself")
	}
	return b, size, nil
}

// extent returns how many bytes of its device the file system owns.
func (b ntfsBoot) extent() int64 { return (b.sectors + 1) * b.sector }

// extentNTFS is Growth.Extent.
func extentNTFS(device string) (int64, error) {
	b, _, err := readNTFS(device)
	return b.extent(), err
}

// fillsNTFS is Growth.Fills. Less than a cluster is never used.
func fillsNTFS(device string) bool {
	b, size, err := readNTFS(device)
	return err == nil && size-b.extent() < b.cluster
}

// canFillNTFS is Growth.CanFill: Windows numbers clusters by 32 bits.
func canFillNTFS(device string, size int64) error {
	b, _, err := readNTFS(device)
	if err != nil {
		return err
	}
	limit := (1<<32 - 1) * b.cluster
	if size <= limit {
		return nil
	}
	return &LimitError{limit, fmt.Errorf("its clusters have %d bytes, and their numbers 32 bits", b.cluster)}
}

// mountNTFS is Kind.Mount: a program mounts it, in any case of names, and makes none that
// Windows would not. Modes become access control lists. It is not allowed to throw the
// journal away, and would mount what has one, or is hibernated, for reading only.
func mountNTFS(device, dir, options string, flags uintptr) error {
	ctx := context.Background()
	if flags&unix.MS_RDONLY == 0 {
		if err := runNTFS(ctx, device, "ntfs-3g.probe", "--readwrite", device); err != nil {
			return err
		}
	}
	words := []string{options}
	for _, f := range []struct {
		flag uintptr
		word string
	}{{unix.MS_RDONLY, "ro"}, {unix.MS_NODEV, "nodev"}, {unix.MS_NOSUID, "nosuid"}, {unix.MS_NOEXEC, "noexec"}} {
		if flags&f.flag != 0 {
			words = append(words, f.word)
		}
	}
	err := runNTFS(ctx, device, "lowntfs-3g", "-o", strings.Trim(strings.Join(words, ","), ","), device, dir)
	if err != nil || flags&unix.MS_RDONLY != 0 {
		return err
	}
	var st unix.Statfs_t
	if err = unix.Statfs(dir, &st); err == nil && st.Flags&unix.ST_RDONLY != 0 {
		err = errors.Join(fmt.Errorf("it can be mounted for reading only: %w", ErrUnclean), unix.Unmount(dir, unix.UMOUNT_NOFOLLOW))
	}
	return err
}

// runNTFS runs a tool for as long as it may take on a device of that size: what is
// interrupted leaves damage. Its error tells the states by which the tools that mount end
// (ntfs-3g.probe(8)).
func runNTFS(ctx context.Context, device string, args ...string) error {
	size, err := deviceSize(device)
	if err != nil {
		return err
	}
	limit := spec.StepLimit(size)
	ctx, cancel := context.WithTimeoutCause(context.WithoutCancel(ctx), limit, fmt.Errorf("not done after %v: %w", limit, spec.ErrTimeUp))
	defer cancel()
	out, err := command.Run(ctx, command.Cmd{Args: args})
	exit, ok := errors.AsType[*command.ExitError](err)
	if !ok {
		return err
	}
	err = &toolError{args[0], exit.Code, verdict(string(out), exit.Stderr)}
	const notNTFS, damaged, hibernated, unclean = 12, 13, 14, 15
	switch exit.Code {
	case hibernated:
		return fmt.Errorf("%w (%w)", ErrHibernated, err)
	case notNTFS, damaged, unclean:
		return fmt.Errorf("%w (%w)", ErrUnclean, err)
	}
	return err
}

// toolError is the error of a tool that says at length what it found.
type toolError struct {
	tool  string
	code  int
	words string
}

func (e *toolError) Error() string { return fmt.Sprintf("%s, status %d: %s", e.tool, e.code, e.words) }

// verdict returns the line of what a tool printed that says most: that which it calls an
// error, else the last one.
func verdict(texts ...string) string {
	var last string
	for line := range strings.Lines(strings.Join(texts, "\n")) {
		line = strings.TrimSpace(strings.Trim(strings.TrimSpace(line), "*"))
		switch {
		case strings.HasPrefix(line, "ERROR"):
			return strings.ToValidUTF8(line[:min(len(line), 200)], "")
		case line != "":
			last = line
		}
	}
	return strings.ToValidUTF8(last[:min(len(last), 200)], "")
}

// checkNTFS is Kind.Check: what Windows had in the journal is brought into the file system.
func checkNTFS(ctx context.Context, device string, force bool) (repaired bool, err error) {
	if _, _, err := readNTFS(device); err != nil {
		return false, err
	}
	probe := func() error { return runNTFS(ctx, device, "ntfs-3g.probe", "--readwrite", device) }
	err = probe()
	if errors.Is(err, ErrUnclean) {
		if recovery := runNTFS(ctx, device, "ntfsrecover", device); recovery != nil {
			return false, fmt.Errorf("replaying its journal: %w (%w)", ErrUnclean, recovery)
		}
		repaired, err = true, probe()
	}
	if err == nil && force {
		err = verifyNTFS(ctx, device)
	}
	return repaired, err
}

// verifyNTFS is Kind.Verify. The tool accounts for every cluster before it would resize.
func verifyNTFS(ctx context.Context, device string) error {
	err := runNTFS(ctx, device, "ntfsresize", "--info", "--force", "--force", "--no-progress-bar", device)
	e, ok := errors.AsType[*toolError](err)
	switch {
	case !ok || e.code != 1:
		return err
	case strings.Contains(e.words, "bad sector"):
		return ErrBadSectors
	}
	return fmt.Errorf("checking %s: %w (%w)", device, ErrUnclean, err)
}

// markedNTFS is Kind.Marked.
func markedNTFS(ctx context.Context, device string) (bool, error) {
	out, err := command.Run(ctx, command.Cmd{Args: []string{"ntfsinfo", "--mft", "--force", device}})
	if err != nil {
		return false, err
	}
	for line := range strings.Lines(string(out)) {
		if text, ok := strings.CutPrefix(strings.TrimSpace(line), "Volume Flags:"); ok {
			return strings.Contains(text, "DIRTY"), nil
		}
	}
	return false, errors.New("ntfsinfo does not tell the flags of the volume")
}

// growNTFS is Growth.Offline: the tool writes the longer map of clusters, then the boot
// sector. It leaves the file system marked as dirty, so that Windows checks it.
func growNTFS(v Volume, _ string, _ bool) error {
	ctx := context.Background()
	if marked, err := markedNTFS(ctx, v.Path); err != nil || marked {
		return cmp.Or(err, ErrMarked)
	}
	if err := runNTFS(ctx, v.Path, "ntfsresize", "--force", "--no-progress-bar", v.Path); err != nil {
		return fmt.Errorf("growing NTFS on %s: %w", v.Path, err)
	}
	return nil
}

// Unmark takes the mark away by which Windows checks an NTFS file system when it starts.
func Unmark(ctx context.Context, v Volume) error {
	return runNTFS(ctx, v.Path, "ntfsfix", "--clear-dirty", v.Path)
}
