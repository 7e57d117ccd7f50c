package identity

import (
	"snf-image/tests/guest"
)

var newGuest, open, check, wants = guest.New, guest.Open, guest.Check, guest.Wants
