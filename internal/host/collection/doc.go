// Package collection keeps images of the catalogue on this node: it fetches, verifies and
// pins them, and carries them to others.
//
// Each image has a directory of its own below IMAGE_DIR, with the image under its vendor's
// name, what proved it, and the pin: a small file that says what the image was when it was
// verified here. A pin is an administrator's word: copied to another node, it makes that
// node take the same image, byte for byte, and no other. A directory is replaced as a
// whole; what was interrupted leaves nothing.
package collection
