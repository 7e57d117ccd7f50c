// Package keyring has the public keys of the node, and verifies signatures of OpenPGP and
// minisign by them. Signatures are hostile: sizes and counts are bounded, and what is weak,
// expired or revoked is told by name.
package keyring
