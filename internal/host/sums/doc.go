// Package sums reads files of checksums in the forms vendors publish them in, and finds the
// digest of one file in them. They are hostile; how much is read is bounded.
package sums
