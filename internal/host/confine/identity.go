package confine

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/user"
	"strconv"
	"syscall"
	"time"

	"snf-image/internal/command"
	"snf-image/internal/report"
)

// The uids of single runs lie above systemd's container range (to 1 879 048 191), above
// the ranges that SSSD and FreeIPA give to accounts by default (to 2 000 200 000), and
// below what systemd keeps for foreign images (from 2 147 352 576). stride has room for
// three uids for every process id Linux has (PID_MAX_LIMIT, 4 Mi).
const (
	firstUID  = 2_100_000_000
	stride    = perRun * 4 << 20
	maxRanges = 3
	perRun    = 3
)

// Identities are those of the children of one run.
type Identities struct {
	// Worker, Helper and Server (of disks by URI) are nil for the caller's identity.
	Worker, Helper, Server *syscall.Credential
	// Warning is why a child is not as separated as it could be; empty if it is.
	Warning string
}

// Identify chooses the identities of a run. Uids made from our process id are this
// run's alone as long as we live, and no account and no file on the node belongs to
// them. An empty helperUser, and "nobody", give the helper a uid of its own.
func Identify(helperUser string) (Identities, error) {
	if os.Geteuid() != 0 {
		return Identities{Warning: "not root: image worker and helper run as the calling user; only namespaces and landlock separate them from its files"}, nil
	}
	first, err := freeIDs(perRun*os.Getpid(), known)
	if err != nil {
		return Identities{}, err
	}
	own := func(n uint32) *syscall.Credential { return &syscall.Credential{Uid: first + n, Gid: first + n} }
	ids := Identities{Worker: own(0), Helper: own(1), Server: own(2)}
	if helperUser != "" && helperUser != "nobody" {
		c, err := lookUp(helperUser)
		if err != nil {
			return ids, err
		}
		ids.Helper = c
		ids.Warning = fmt.Sprintf("HELPER_USER=%s: all helpers share this account and are not separated from each other", helperUser)
	}
	return ids, nil
}

// freeIDs returns the first of three ids, at offset in one of the ranges, that are
// unassigned.
func freeIDs(offset int, known func(ids ...uint32) bool) (uint32, error) {
	for i := range maxRanges {
		first := uint32(firstUID + i*stride + offset)
		if !known(first, first+1, first+2) {
			return first, nil
		}
	}
	return 0, &report.Failure{
		Kind: report.Node, What: "choosing the uids of worker and helper", On: fmt.Sprintf("%d and so on", firstUID+offset),
		Cause: errors.New("accounts or groups of this node have them"), Remedy: "run it again, or keep accounts out of the ids from 2 100 000 000 on",
	}
}

// lookupLimit bounds what a directory service may take to say whom an id belongs to.
const lookupLimit = 5 * time.Second

// known reports whether one of ids is that of an account or a group of this node, as all
// its name services know them. If no service answers, ids count as free: no range
// is assigned by default.
func known(ids ...uint32) bool {
	ctx, cancel := context.WithTimeout(context.Background(), lookupLimit)
	defer cancel()
	for _, database := range []string{"passwd", "group"} {
		args := []string{"getent", database}
		for _, id := range ids {
			args = append(args, strconv.FormatUint(uint64(id), 10))
		}
		if out, _ := command.Run(ctx, command.Cmd{Args: args}); len(out) > 0 { // getent ends with 2 when it knows none
			return true
		}
	}
	return false
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
