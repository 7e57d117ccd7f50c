package identity

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestInitiators renews the names for storage in the network, and no others.
func TestInitiators(t *testing.T) {
	t.Parallel()
	const id = "0123456789abcdef0123456789abcdef"
	const iscsi, nvme = "7f37688c7b70", "9665d094-39ba-4a08-a71f-aa2a9410ed02"
	for title, c := range map[string]struct{ file, old, want string }{
		"Debian":            {iscsiName, "## DO NOT EDIT\nInitiatorName=iqn.1993-08.org.debian:01:0123456789ab\n", "## DO NOT EDIT\nInitiatorName=iqn.1993-08.org.debian:01:" + iscsi + "\n"},
		"Red Hat":           {iscsiName, "InitiatorName=iqn.1994-05.com.redhat:0123\n", "InitiatorName=iqn.1994-05.com.redhat:" + iscsi + "\n"},
		"without a part":    {iscsiName, "InitiatorName=iqn.1994-05.com.redhat \n", "InitiatorName=iqn.1994-05.com.redhat:" + iscsi + "\n"},
		"made at boot":      {iscsiName, "GenerateName=yes\n", "GenerateName=yes\n"},
		"a number of IEEE":  {iscsiName, "InitiatorName=eui.02004567A425678D\n", "InitiatorName=eui.02004567A425678D\n"},
		"in a comment":      {iscsiName, "#InitiatorName=iqn.1994-05.com.redhat:0123\n", "#InitiatorName=iqn.1994-05.com.redhat:0123\n"},
		"NVMe":              {nvmeNQN, nqnByUUID + "00000000-0000-4000-8000-000000000000\n", nqnByUUID + nvme + "\n"},
		"NVMe, chosen":      {nvmeNQN, "nqn.2024-01.org.example:web\n", "nqn.2024-01.org.example:web\n"},
		"NVMe, number":      {nvmeID, "00000000-0000-4000-8000-000000000000\n", nvme + "\n"},
		"NVMe, no number":   {nvmeID, "", nvme + "\n"},
		"many lines of one": {iscsiName, strings.Repeat("x\n", 1000), strings.Repeat("x\n", 1000)},
	} {
		g := newGuest(t, map[string]string{c.file[1:]: c.old})
		check(t, CheckMachineID(g.Guest, id))
		check(t, RemoveTraces(g.Guest, id))
		if diff := cmp.Diff(c.want, g.Content(t, c.file[1:])); diff != "" {
			t.Errorf("%s (-want +got):\n%s", title, diff)
		}
		if len(*g.Warnings) > 0 {
			t.Errorf("%s: warnings %q", title, *g.Warnings)
		}
	}
	g := newGuest(t, map[string]string{nvmeID[1:]: "DIR"})
	wants(t, CheckMachineID(g.Guest, id), nvmeID)
}

// TestRegistered tells of what others know the image's own machine by.
func TestRegistered(t *testing.T) {
	t.Parallel()
	for _, r := range registered {
		g := newGuest(t, map[string]string{r.path[1:]: "x", "etc/salt/minion_id": "image", "var/lib/connman/ethernet_525400000001_cable/settings": "x"})
		check(t, RemoveTraces(g.Guest, "0123456789abcdef0123456789abcdef"))
		if len(*g.Warnings) != 1 || !strings.Contains((*g.Warnings)[0], r.service) || !g.Root.Has(r.path) {
			t.Errorf("%s: warnings %q", r.service, *g.Warnings)
		}
		if g.Root.Has("/etc/salt/minion_id") || g.Root.Has("/var/lib/connman/ethernet_525400000001_cable/settings") {
			t.Error("what the image's own machine is called is left")
		}
	}
}
