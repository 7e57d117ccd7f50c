package netconf

import (
	"bytes"
	"runtime"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestDisableStaleNames(t *testing.T) {
	t.Parallel()
	const (
		header = "# PCI device 0x1af4:0x1000 (virtio-pci)\n"
		old    = `SUBSYSTEM=="net", ACTION=="add", DRIVERS=="?*", ATTR{address}=="52:54:00:00:00:01", ATTR{dev_id}=="0x0", NAME="eth0"` + "\n"
		mine   = `SUBSYSTEM=="net", ATTR{address}=="AA:00:00:00:00:01", NAME="eth0"` + "\n"
		other  = `SUBSYSTEM=="net", ATTR{address}=="aa:00:00:00:00:01", NAME="lan"` + "\n"
		long   = "SUBSYSTEM==\"net\", \\\n  ATTR{address}==\"52:54:00:00:00:02\", \\\n  NAME=\"eth1\"\n"
		driver = `SUBSYSTEM=="net", DRIVERS=="virtio_net", NAME="v0"` + "\n"
		owner  = `SUBSYSTEM=="tty", ATTR{address}=="x", GROUP="NAME=1"` + "\n"
	)
	const mark = "# disabled by snf-image: "
	out, free := DisableStaleNames([]byte(header+old+mine+other+long+driver+owner), map[string]string{"aa:00:00:00:00:01": "eth0"})
	want := header + mark + old + mine + mark + other +
		mark + "SUBSYSTEM==\"net\", \n" + mark + "  ATTR{address}==\"52:54:00:00:00:02\", \n" + mark + "  NAME=\"eth1\"\n" + driver + owner
	if diff := cmp.Diff(want, string(out)); diff != "" {
		t.Errorf("rules (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"eth0", "lan", "eth1"}, free); diff != "" {
		t.Errorf("free names (-want +got):\n%s", diff)
	}
}

// TestManyContinuations has one line of very many parts: it takes no more memory than a few
// copies of the file.
func TestManyContinuations(t *testing.T) {
	data := bytes.Repeat([]byte("\\\n"), 1<<17)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, _ = DisableEthernet(data)
	_, _ = DisableStaleNames(data, nil)
	if runtime.ReadMemStats(&after); after.TotalAlloc-before.TotalAlloc > 16<<20 {
		t.Errorf("%d MiB were allocated", (after.TotalAlloc-before.TotalAlloc)>>20)
	}
}
