//go:build !amd64

package jail

import "golang.org/x/sys/unix"

// otherArchitecture has no other one to try here.
func otherArchitecture() error { return unix.ENOSYS }
