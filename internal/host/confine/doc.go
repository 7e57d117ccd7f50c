// Package confine starts child processes that are separated from the node and from
// each other: by identity, namespaces, a root of their own, limits, capabilities, filters
// of system calls, and the descriptors they get. A [Child] describes one; the [Process]
// it becomes names the layers that are active and those the kernel refused.
//
// A program is started through a stage: this very program under the name [Name], which
// gives up what only the process itself can give up, verifies that it is gone, tells the
// parent, and becomes the program. Until the parent knows the layers, the program has
// not begun.
//
// It is large because whatever confines a child is here, with what a node may refuse of it.
package confine
