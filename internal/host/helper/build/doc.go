// Package build makes the helper image from Debian packages: the developer's verb,
// which a node that gets the helper package never runs.
//
// The same packages and the same agent give the same bytes. Nothing in a package is
// run, and nothing is installed.
package build
