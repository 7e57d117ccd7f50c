package session

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"snf-image/internal/host/config"
	"snf-image/internal/spec"
)

// Serials of the devices that stand for the ends of the first disk.
const (
	HeadSerial = "head"
	TailSerial = "tail"
)

// NewPlan returns the plan of a helper for s. Random values and the time
// are taken here, so that the helper needs no entropy. A disk is read-only for helper
// and host if the plan has it so.
func NewPlan(s *spec.Spec, c *config.Config) spec.Plan {
	p := s.Plan(spec.PlanOptions{
		Nonce: hex.EncodeToString(random(16)), UnixTime: time.Now().Unix(),
		MachineID: strings.ReplaceAll(newUUID(), "-", ""), SwapUUID: newUUID(), SwapPartitionUUID: newUUID(),
		DHCPTags: c.DHCPTags, StatefulTags: c.StatefulDHCPv6Tags, StatelessTags: c.StatelessDHCPv6Tags,
		SoftTimeout: c.HelperSoftTimeout, InstanceID: newUUID(), CloudInitDebug: c.CloudInitDebug,
		DefaultNIC: c.DefaultNICConfig, DNS: c.DNS, Search: c.Search,
		TimeZone: c.WindowsTimezone,
		Debug:    c.ImageDebug, DebugShell: c.HelperDebug,
	})
	for i, d := range s.Disks {
		swap := p.Swap != nil && p.Swap.Disk == i
		disk := spec.PlanDisk{Serial: fmt.Sprintf("disk%d", i), ReadOnly: d.ReadOnly || i > 0 && !swap}
		if i == 0 && p.Mode == spec.ModeDeploy {
			disk.Head, disk.Tail = HeadSerial, TailSerial
		}
		p.Disks = append(p.Disks, disk)
	}
	return p
}

func random(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails, see its documentation
	return b
}

// newUUID returns a random UUID (RFC 9562 section 5.4), also fit as a machine
// id (machine-id(5) takes any that is not all zero).
func newUUID() string {
	b := random(16)
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
