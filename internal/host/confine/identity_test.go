package confine

import (
	"math"
	"os"
	"os/user"
	"strconv"
	"testing"

	"snf-image/internal/report"
)

// TestFreeIDs skips ids that somebody has, in whatever range of the node's.
func TestFreeIDs(t *testing.T) {
	t.Parallel()
	const pidLimit = 4 << 20
	for _, tc := range []struct {
		name string
		has  map[uint32]bool
		want uint32
	}{
		{"nobody", nil, firstUID + 14},
		{"somebody the first", map[uint32]bool{firstUID + 14: true}, firstUID + stride + 14},
		{"somebody the second", map[uint32]bool{firstUID + 15: true}, firstUID + stride + 14},
		{"two", map[uint32]bool{firstUID + 14: true, firstUID + stride + 15: true}, firstUID + 2*stride + 14},
	} {
		got, err := freeIDs(14, func(ids ...uint32) bool { return tc.has[ids[0]] || tc.has[ids[1]] || tc.has[ids[2]] })
		if err != nil || got != tc.want {
			t.Errorf("%s has them: freeIDs = %d, %v, want %d", tc.name, got, err, tc.want)
		}
	}
	if got, err := freeIDs(14, func(...uint32) bool { return true }); report.KindOf(err) != report.Node {
		t.Errorf("all are taken: freeIDs = %d, %v, want a failure of the node", got, err)
	}
	// Of any process id, and in any of the ranges, they are nobody's by default.
	const sssd, foreign = 2_000_200_000, 2_147_352_576
	last := firstUID + (maxRanges-1)*stride + perRun*pidLimit + perRun - 1
	if firstUID <= sssd || last >= foreign || last > math.MaxInt32 || stride < perRun*pidLimit {
		t.Errorf("ids from %d to %d, want them above %d and below %d", firstUID, last, sssd, foreign)
	}
}

// TestKnown asks the node's name services.
func TestKnown(t *testing.T) {
	t.Parallel()
	me, err := user.LookupId("65534")
	if err != nil {
		t.Fatal(err)
	}
	id, err := strconv.ParseUint(me.Uid, 10, 32)
	if err != nil {
		t.Fatal(err)
	}
	if !known(4_000_000_001, uint32(id)) {
		t.Errorf("the account %s is not known", me.Username)
	}
	if known(4_000_000_001, 4_000_000_002) {
		t.Error("ids of nobody are known")
	}
}

func TestIdentifyIsOfThisRun(t *testing.T) {
	t.Parallel()
	ids, err := Identify("")
	if err != nil {
		t.Fatal(err)
	}
	if os.Geteuid() != 0 {
		if ids.Worker != nil || ids.Helper != nil || ids.Warning == "" {
			t.Errorf("Identify() = %+v, want the caller's identity and a warning", ids)
		}
		return
	}
	if w, h := ids.Worker.Uid, ids.Helper.Uid; w < firstUID || (w-firstUID)%stride != uint32(perRun*os.Getpid()) || h != w+1 || ids.Server.Uid != w+2 || ids.Worker.Gid != w {
		t.Errorf("Identify() = %+v and %+v", ids.Worker, ids.Helper)
	}
}
