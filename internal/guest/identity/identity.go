// Package identity gives a guest what makes it a machine of its own: host name, machine
// id and SSH host keys.
//
// What cannot be replaced is left, with an error: no task ends with fewer host keys than
// the SSH server needs.
package identity
