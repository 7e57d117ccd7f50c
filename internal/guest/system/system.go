// Package system is a guest as the work on it sees it: the tree of its mounted file
// systems, and where warnings and the log go. It does nothing by itself.
package system

import (
	"log/slog"

	"snf-image/internal/guest/rootfs"
)

// Guest is the system that is changed.
type Guest struct {
	Root *rootfs.Root
	// Living is set for a machine that is customized as it is: what it has is its
	// own, not its image's.
	Living bool
	// Warn adds a warning to what the administrator is told.
	Warn func(format string, args ...any)
	Log  *slog.Logger
	// Unmounted returns the mount point below which a path lies, of a file system that
	// the machine will mount there but that is not mounted now, or "".
	Unmounted func(p string) string
}
