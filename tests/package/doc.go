// Package packages holds the test of the packages: made as for a release,
// installed into a fresh Debian 12 and 13 with only their dependencies, used,
// upgraded and purged. It runs with SNF_PACKAGE=1 as root, fetches Debian packages, and
// compiles always.
package packages
