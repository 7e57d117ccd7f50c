package trust

import (
	"errors"
	"io/fs"

	"snf-image/internal/host/keyring"
	"snf-image/internal/host/sums"
)

// Remedy returns what helps against an error of this package, empty for one without a
// remedy of its own.
func Remedy(err error) string {
	switch {
	case errors.Is(err, ErrDemand):
		return "give its digest as IMG_DIGEST in the configuration or the variant file, by --digest, or in the catalogue, or bind the vendor's key with IMG_KEY or --key"
	case errors.Is(err, ErrNoProof):
		return "put the vendor's file of checksums, and its signature, beside the image"
	case errors.Is(err, ErrGiven):
		return "fetch the image again, or correct the digest"
	case errors.Is(err, ErrMismatch), errors.Is(err, keyring.ErrBadSignature):
		return "fetch the image and what lies beside it again, from the vendor; do not use this one"
	case errors.Is(err, ErrNoBoundKey):
		return "compare the vendor's key with what it publishes and add it (snf-image key add), or correct IMG_KEY or --key"
	case errors.Is(err, keyring.ErrUnknownKey):
		return "compare the key with the one the vendor publishes, and add it (snf-image key add)"
	case errors.Is(err, ErrUnbound):
		return "compare the key with the one the vendor publishes for this image"
	case errors.Is(err, keyring.ErrKeyExpired), errors.Is(err, keyring.ErrExpired), errors.Is(err, keyring.ErrKeyRevoked):
		return "get the vendor's present key and signature"
	case errors.Is(err, sums.ErrWeak), errors.Is(err, keyring.ErrWeakSignature):
		return "ask the vendor for sha256 or sha512, and a signature of today"
	case errors.Is(err, ErrOther):
		return "name the image by its vendor's own address, or give its digest; in an entry of the catalogue, set SIGNED_NAME"
	case errors.Is(err, sums.ErrAmbiguous), errors.Is(err, sums.ErrNoEntry), errors.Is(err, sums.ErrNoSums), errors.Is(err, keyring.ErrNoSignature),
		errors.Is(err, sums.ErrTooBig), errors.Is(err, keyring.ErrTooBig), errors.Is(err, keyring.ErrManySignatures):
		return "get the file from the vendor again, or give the digest of the image"
	case errors.Is(err, ErrMissing):
		return "check how it is named, and whether the vendor still has it"
	case errors.Is(err, ErrUnreadable):
		return "make it readable, give the digest of the image, or demand nothing (VERIFY_IMAGES=none)"
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, ErrNotFile):
		return "check the path"
	}
	return ""
}
