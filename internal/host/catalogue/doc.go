// Package catalogue knows the images of vendors by name: where each is published, what
// proves it, which keys may have signed it, and what is to be known about it to make a
// machine of it.
//
// An entry is a small file of assignments, NAME.conf. Of two entries with the same name the
// one in the later directory counts, whole; an empty one masks the other. Reading is strict:
// a name nobody knows is a mistake, and an entry with a mistake is not used. Nothing is
// fetched here.
package catalogue
