package report

import (
	"slices"
	"strings"
)

// Stored describes how an image is stored: its format inside its layers, which are given
// from the outermost on.
func Stored(format string, layers []string) string {
	inside := append(slices.Clone(layers), format)
	slices.Reverse(inside)
	return strings.Join(inside, " in ")
}
