// Package trust proves that the stored bytes of an image are those its vendor published:
// it reads files of checksums, signatures (OpenPGP and minisign) and the keys of the node's
// keyring, and finds the proofs that lie beside an image.
//
// It opens no connection and no file but those of the keyring: what lies beside an image
// comes from a function of the caller, and what was proved goes back to it. All input but
// the keyring is hostile; sizes are bounded.
package trust
