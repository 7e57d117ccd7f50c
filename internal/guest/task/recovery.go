package task

import (
	"os"
	"slices"

	"snf-image/internal/guest/filesystem"
	"snf-image/internal/guest/inspect"
	"snf-image/internal/guest/partition"
)

// recoveryTypes are the types of a partition from which Windows repairs itself, in a GPT and
// in an MBR. It is never grown.
var recoveryTypes = []string{"DE94BBA4-06D1-4D40-A16A-BFD50179D6AC", "27"}

// recoveryLast returns the partition for recovery of a Windows that lies last.
func (r *Run) recoveryLast(table *partition.Table) (partition.Partition, bool) {
	p, ok := table.Partition(lastOf(table.Partitions))
	family := r.family()
	if !ok || family != inspect.Windows && family != inspect.WindowsLegacy {
		return p, false
	}
	return p, slices.Contains(recoveryTypes, p.Type)
}

// movesRecovery reports whether a partition for recovery that lies last is moved, so that
// the one before it, the root, can grow. Windows finds it by its GUID, where the table has
// one; on an installed machine its content must not be in two halves at any time.
func (r *Run) movesRecovery(table *partition.Table, recovery partition.Partition) bool {
	if r.careful() || table.Kind != partition.GPT {
		return false
	}
	rest := slices.DeleteFunc(slices.Clone(table.Partitions), func(p partition.Partition) bool { return p.Number == recovery.Number })
	return lastOf(rest) == r.Inspection.RootPartition
}

// place makes the content of a partition that is moved anew where it will be: that of swap
// space is its header, that of another one is copied.
func (r *Run) place(disk *os.File, table *partition.Table, change partition.Change) error {
	old, ok := partition.Partition{}, false
	for _, p := range r.Inspection.Partitions {
		if p.Number == change.Moved && slices.Contains(recoveryTypes, p.Type) {
			old, ok = partition.Partition{Start: p.Start, Size: p.Size}, true
		}
	}
	now, found := table.Partition(change.Moved)
	if !ok || !found {
		return r.erase(disk, change)
	}
	if err := filesystem.Relocate(disk, old.Start, now.Start, now.Size); err != nil {
		return err
	}
	r.RecoveryMoved = change.Moved
	change.Claimed = slices.DeleteFunc(slices.Clone(change.Claimed), func(c partition.Span) bool { return c.Start == now.Start })
	return r.erase(disk, change)
}

// erase erases signatures of former contents where partitions are going to be.
func (r *Run) erase(disk *os.File, change partition.Change) error {
	for _, c := range change.Claimed {
		if err := filesystem.Erase(disk, filesystem.Claim(c)); err != nil {
			return err
		}
	}
	return nil
}

// warnRecovery warns that nothing tells Windows where its recovery environment lies now.
func (r *Run) warnRecovery() {
	r.Warn("partition %d, from which Windows repairs itself, was moved, and InstallUnattend does not run, which would tell Windows: run reagentc /enable there", r.RecoveryMoved)
}
