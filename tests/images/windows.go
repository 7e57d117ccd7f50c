package images

import (
	"maps"
	"slices"
	"testing"

	"snf-image/tests/hive"
)

// WindowsTree returns the files of a Windows that matter: what marks it, and its registry.
// Those before NT 6 write the names in other letters.
func WindowsTree(t testing.TB, w hive.Windows) Tree {
	t.Helper()
	dir := "Windows/System32/"
	if w.Legacy() {
		dir = "WINDOWS/system32/"
	}
	tree := Tree{{Path: dir + "ntoskrnl.exe", Data: "kernel"}, {Path: "Users/Public/"}}
	hives := w.Hives(t)
	for _, name := range slices.Sorted(maps.Keys(hives)) {
		tree = append(tree, Entry{Path: dir + "config/" + name, Data: hives[name]})
	}
	return tree
}
