package ganeti

import (
	"strings"

	"github.com/google/go-cmp/cmp"

	"snf-image/tests/oracle"
)

// backup exports inst2, which life left, and imports it under other names: as a
// file, and where there is another node for it, as a block device too.
func backup(c cluster) {
	const from, file, device = "inst2.gnt.test", "inst4.gnt.test", "inst5.gnt.test"
	there := c.nodes
	exported := c.diskOf(1, from)
	c.gnt("gnt-backup", "export", "-n", name(there), from)
	restore := func(instance string, disks ...string) {
		c.Helper()
		args := []string{"gnt-backup", "import", "--src-node=" + name(there), "--src-dir=" + from, "-n", name(there), "--net", "0:mac=generate"}
		c.gnt(append(append(args, disks...), instance)...)
	}
	restore(file, onFile...)
	checkRestored(c, exported, c.diskOf(there, file), from, file)
	if there > 1 {
		restore(device, "-t", "ext", "--disk", "0:size="+diskSize+",provider=loop")
		c.gnt("gnt-instance", "deactivate-disks", device)
		checkRestored(c, exported, c.one(state+"/volumes/*"), from, device)
		c.remove(device)
	}
	c.remove(from, file)
	c.gnt("gnt-backup", "remove", from)
}

// checkRestored holds the disk of an instance against the one that was exported:
// only the name differs.
func checkRestored(c cluster, exported, disk, from, instance string) {
	c.Helper()
	checkInstance(c.T, disk, instance, another)
	checkRenamed(c, oracle.ReadTree(c, exported, root), disk)
	want, _ := oracle.ReadTable(c, exported)
	got, _ := oracle.ReadTable(c, disk)
	if diff := cmp.Diff(places(want), places(got)); diff != "" {
		c.Errorf("the partitions of %s differ from those that were exported (-want +got):\n%s", instance, diff)
	}
	if text := c.logOf(c.nodes, "rename", instance); !strings.Contains(text, "[INFO] renaming "+from+" to "+instance) {
		c.Errorf("the import's log of the renaming:\n%s", text)
	}
}

// places returns the partitions of a table without the name of the disk.
func places(table oracle.Table) oracle.Table {
	for i := range table.Partitions {
		table.Partitions[i].Node = ""
	}
	return table
}
