package ganeti

import (
	"fmt"
	"strings"

	"snf-image/internal/spec"
)

// disks reads DISK_COUNT and the disks.
func (r *reader) disks() []spec.Disk {
	var disks []spec.Disk
	for i := range r.number("DISK_COUNT", 0, maxCount) {
		disks = append(disks, r.disk(fmt.Sprintf("DISK_%d_", i)))
	}
	return disks
}

// disk reads one disk. The path leads to a block device or a disk file and wins
// over the URI, which serves disks that have no path on the node. The size is
// not taken: it is that of the disk.
func (r *reader) disk(prefix string) spec.Disk {
	d := spec.Disk{Path: r.env[prefix+"PATH"], URI: r.env[prefix+"URI"]}
	switch access := r.env[prefix+"ACCESS"]; strings.ToLower(access) {
	case "", "rw", "w": // the manual has W and R, Ganeti says rw and ro
	case "ro", "r":
		d.ReadOnly = true
	default:
		r.fail(prefix+"ACCESS", fmt.Sprintf("it is %.20q, expected rw or ro", access))
	}
	return d
}

// nics reads NIC_COUNT and the NICs.
func (r *reader) nics() []spec.NIC {
	var nics []spec.NIC
	for i := range r.number("NIC_COUNT", 0, maxCount) {
		nics = append(nics, r.nic(fmt.Sprintf("NIC_%d_", i)))
	}
	return nics
}

func (r *reader) nic(prefix string) spec.NIC {
	get := func(name string) string { return r.env[prefix+name] }
	return spec.NIC{
		MAC: r.required(prefix + "MAC"), IP: get("IP"), Name: get("NAME"), Mode: get("MODE"), Link: get("LINK"),
		Bridge: get("BRIDGE"), FrontendType: get("FRONTEND_TYPE"), Network: get("NETWORK_NAME"),
		Subnet: get("NETWORK_SUBNET"), Gateway: get("NETWORK_GATEWAY"),
		Subnet6: get("NETWORK_SUBNET6"), Gateway6: get("NETWORK_GATEWAY6"),
		Tags: strings.Fields(get("NETWORK_TAGS")),
	}
}
