// Package credentials makes on the host what a machine is logged in with:
// crypt(3) hashes of passwords and SSH host keys, each with fresh randomness.
//
// Clear text and private keys leave it only as spec.Secret; no error holds
// them.
package credentials
