// Package confine describes how child processes of this program are separated from
// the node and from each other.
package confine
