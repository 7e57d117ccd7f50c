package ganeti

import (
	"net"
	"os"
	"path/filepath"
	"strings"

	"snf-image/tests/machine"
	"snf-image/tests/oracle"
)

// started makes an instance on a block device, a loop device on a file in the
// cluster's volumes, and has Ganeti start it. The second disk stays as it is.
func started(c cluster) {
	const instance = "inst3.gnt.test"
	disks := []string{"-t", "ext", "--disk", "0:size=" + diskSize + ",provider=loop", "--disk", "1:size=64M,provider=loop"}
	// Without a network card: nothing here is about Ganeti's tap devices.
	c.gnt(add(1, disks, instance, "img_id=local://debian,img_format=diskdump",
		"--os-parameters-private", "img_passwd="+password, "-H", "kvm", "-B", "memory=768", "--no-nics")...)
	c.gnt("gnt-instance", "deactivate-disks", instance)
	checkVolumes(c, instance)

	c.gnt("gnt-instance", "start", instance)
	m := machine.Attach(c, serial(c, instance))
	if got := m.Prompt(c); got != "inst3" {
		c.Errorf("the login prompt bears the name %q, want inst3", got)
	}
	m.Authenticate(c, password)
	if got, _ := m.Shell(c, "cat /proc/sys/kernel/hostname; cat /sys/class/net/*/address | grep -cv 00:00:00:00:00:00"); strings.Join(strings.Fields(got), " ") != instance+" 0" {
		c.Errorf("host name and number of network cards = %q, want %s and none", got, instance)
	}
	m.Stop()
	c.remove(instance)
}

// checkVolumes looks at both disks of an instance.
func checkVolumes(c cluster, instance string) {
	c.Helper()
	volumes, err := filepath.Glob(filepath.Join(state, "volumes/*"))
	if err != nil || len(volumes) != 2 {
		c.Fatalf("volumes: %v, %v, want two", volumes, err)
	}
	if oracle.Size(c, volumes[0]) < oracle.Size(c, volumes[1]) {
		volumes[0], volumes[1] = volumes[1], volumes[0]
	}
	checkInstance(c.T, volumes[0], instance, password)
	if !oracle.Zero(c, volumes[1], 0, oracle.Size(c, volumes[1])) {
		c.Error("the second disk was written to")
	}
}

// serial connects to the serial console of an instance that Ganeti runs on node
// 1. Its socket lies in a file system only the node has.
func serial(c cluster, instance string) net.Conn {
	c.Helper()
	pid, err := os.ReadFile(path(1, "pid"))
	if err != nil {
		c.Fatal(err)
	}
	socket := filepath.Join("/proc", strings.Fields(string(pid))[0], "root/run/ganeti/kvm-hypervisor/ctrl", instance+".serial")
	conn, err := net.Dial("unix", socket)
	if err != nil {
		c.Fatal(err)
	}
	return conn
}
