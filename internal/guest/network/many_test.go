package network

import (
	"errors"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"snf-image/internal/guest/rootfs"
	"snf-image/internal/spec"
)

// TestTooManyFiles refuses an image whose directories have more files than a system has,
// before anything is changed.
func TestTooManyFiles(t *testing.T) {
	t.Parallel()
	nics := []spec.NIC{{MAC: "aa:00:00:00:00:01", IP: oneNIC, Subnet: "10.0.0.0/24"}}
	for _, name := range []string{
		"etc/netplan/%d.yaml", "etc/NetworkManager/system-connections/%d", "etc/systemd/network/00-snf-image-%d.network",
		"etc/sysconfig/network/ifcfg-%d", "etc/sysconfig/network-scripts/ifcfg-%d", "etc/netctl/snf-image-%d", "etc/runlevels/default/net.%d",
	} {
		t.Run(filepath.Dir(name), func(t *testing.T) {
			t.Parallel()
			files := map[string]string{"usr/sbin/netplan": ""}
			for n := range 1001 {
				files[fmt.Sprintf(name, n)] = "x"
			}
			g := newGuest(t, files)
			before := g.Snapshot(t)
			if err := Check(g.Guest, planned(t, nics, ""), false); !errors.Is(err, rootfs.ErrTooMany) {
				t.Errorf("Check = %v, want %v", err, rootfs.ErrTooMany)
			}
			if diff := cmp.Diff(before, g.Snapshot(t)); diff != "" {
				t.Errorf("changes:\n%s", diff)
			}
		})
	}
}
