// Package trust proves that the stored bytes of an image are those its vendor published:
// it reads files of checksums, signatures (OpenPGP and minisign) and the keys of the node's
// keyring, finds the proofs that lie beside an image, and decides whether they are what is
// demanded. It begins with a Claim.
//
// It opens no connection: what lies beside an image comes from a function of the caller. All
// input but the keyring is hostile; sizes and counts are bounded.
//
// It is large because the forms of all vendors, two kinds of signatures and the keyring are
// here: a verdict needs them all.
package trust
