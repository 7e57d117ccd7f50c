// Package values parses the values of parameters, properties, flags and settings: sizes,
// host names, NICs, files to inject, swap requests, image formats.
//
// It is pure. A value that is accepted holds nothing that could break out of the place it
// is written to in the guest.
package values

import "errors"

// The rules of values, one sentinel each.
var (
	ErrHostname = errors.New("invalid host name")
	ErrSize     = errors.New("invalid size")
	ErrNIC      = errors.New("unusable NIC")
	ErrFileFlag = errors.New("invalid --file")
	ErrSwap     = errors.New("unusable swap request")
)
