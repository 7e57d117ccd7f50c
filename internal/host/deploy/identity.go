package deploy

import (
	"fmt"
	"os"
	"os/user"
	"strconv"
	"syscall"

	"snf-image/internal/host/vm"
	"snf-image/internal/report"
)

// firstUID is where the uids of single runs begin: above systemd's container
// range, below the end of signed 32-bit numbers, with room for two uids for
// every process id Linux has (PID_MAX_LIMIT, 4 Mi).
const firstUID = 1_900_000_000

// identities are who the children of one run are.
type identities struct {
	worker, helper *syscall.Credential // nil: the caller's identity
	warning        string
}

// identify chooses them. Uids made from our process id are this run's alone as
// long as we live, and no file on the node belongs to them.
func identify(helperUser string) (identities, error) {
	if os.Geteuid() != 0 {
		return identities{warning: "not root: image worker and helper run as the calling user and are not separated from its files"}, nil
	}
	own := func(n int) *syscall.Credential {
		id := uint32(firstUID + 2*os.Getpid() + n)
		return &syscall.Credential{Uid: id, Gid: id}
	}
	ids := identities{worker: own(0), helper: own(1)}
	if helperUser != "" && helperUser != "nobody" {
		c, err := lookUp(helperUser)
		if err != nil {
			return ids, err
		}
		ids.helper = c
		ids.warning = fmt.Sprintf("HELPER_USER=%s: all helpers share this account and are not separated from each other", helperUser)
	}
	if gid, ok := vm.KVMGroup(); ok {
		ids.helper.Groups = []uint32{gid}
	}
	return ids, nil
}

func lookUp(name string) (*syscall.Credential, error) {
	invalid := func(err error) error {
		return &report.Failure{
			Kind: report.Usage, What: "looking up the helper's user", On: "HELPER_USER=" + name,
			Cause: err, Remedy: "leave HELPER_USER empty, or name an account of this node other than root",
		}
	}
	u, err := user.Lookup(name)
	if err != nil {
		return nil, invalid(err)
	}
	uid, err := strconv.ParseUint(u.Uid, 10, 32)
	if err != nil {
		return nil, invalid(err)
	}
	gid, err := strconv.ParseUint(u.Gid, 10, 32)
	if err != nil {
		return nil, invalid(err)
	}
	if uid == 0 {
		return nil, invalid(fmt.Errorf("it is uid 0"))
	}
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
}
