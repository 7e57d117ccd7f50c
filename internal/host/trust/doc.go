// Package trust proves that the stored bytes of an image are those its vendor published:
// it finds the proofs that lie beside an image, and decides whether they are what is demanded.
// It begins with a Claim. Package sums reads files of checksums, keyring the signatures.
//
// It opens no connection: what lies beside an image comes from a function of the caller. All
// of that is hostile; sizes and counts are bounded.
package trust
