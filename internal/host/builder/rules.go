package builder

import "errors"

// The rules of validation, one sentinel each. A Problem wraps the one it breaks.
var (
	ErrURL              = errors.New("URL that may not be opened")
	ErrOrigin           = errors.New("value that its origin must not give")
	ErrType             = errors.New("value of the wrong type")
	ErrDuplicate        = errors.New("name given twice")
	ErrUnknownProperty  = errors.New("unknown property")
	ErrNothingAsked     = errors.New("nothing is asked for")
	ErrUnknownParameter = errors.New("unknown parameter")
	ErrRequired         = errors.New("required value missing")
	ErrImage            = errors.New("unusable image name")
	ErrFormat           = errors.New("unknown image format")
	ErrConflict         = errors.New("parameters exclude each other")
	ErrPassword         = errors.New("doubtful password")
	ErrPasswordHash     = errors.New("unusable password hash")
	ErrAuthKeys         = errors.New("unusable authorized keys")
	ErrBoolean          = errors.New("not a boolean word")
	ErrOSFamily         = errors.New("unknown operating system family")
	ErrRootPartition    = errors.New("unusable root partition")
	ErrUsers            = errors.New("unusable user list")
	ErrHashMethod       = errors.New("unknown password hashing method")
	ErrExclude          = errors.New("task that cannot be left out")
	ErrCustomTask       = errors.New("unusable custom task")
	ErrPersonality      = errors.New("unusable personality")
	ErrUnknownKey       = errors.New("unknown key")
	ErrProductKey       = errors.New("unusable product key")
	ErrAnswerFile       = errors.New("unusable answer file")
	ErrIgnored          = errors.New("value without effect")
	ErrDisk             = errors.New("unusable disk")
)
