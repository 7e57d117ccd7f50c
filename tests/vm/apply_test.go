package vm

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"snf-image/tests/harness"
	"snf-image/tests/support"
)

// applied are the stacks whose own programs bring interfaces up in a network of their own:
// the golden files that are theirs, where these go, the command, what lets it only look at
// the files, and the system of the support matrix whose program it is.
var applied = []struct {
	name, dir, file, place, command, look, row string
}{
	{
		"ifupdown", "ifupdown", "want", "/etc/network/interfaces", "mkdir -p /run/network; /opt/classic/sbin/ifup -a",
		"mkdir -p /run/network; /opt/classic/sbin/ifup -a -n", "debian-12",
	},
	{
		"ifupdown-ng", "ifupdown-ng", "ifupdown-ng", "/etc/network/interfaces",
		"/opt/ng/sbin/ifup -a -i /etc/network/interfaces -S /run/state -E /opt/ng/usr/libexec/ifupdown-ng",
		"/opt/ng/sbin/ifup -a -n -i /etc/network/interfaces -S /run/state -E /opt/ng/usr/libexec/ifupdown-ng", "alpine",
	},
	{
		"ifupdown2", "ifupdown2", "interfaces", "/etc/network/interfaces",
		"mkdir -p /run/network /etc/network/interfaces.d; python3 /sbin/ifup -a",
		"mkdir -p /run/network /etc/network/interfaces.d; python3 /sbin/ifquery -a", "proxmox",
	},
	{"runit", "runit", "network.sh", "/etc/network/network.sh", "sh -e /etc/network/network.sh", "", "void"},
	// Without resolvconf, as snf-image does: no name servers in the profile.
	{
		"netctl", "netctl", "", "/etc/netctl/",
		"for p in eth0 eth1 eth2; do [ ! -e /etc/netctl/$p ] || { sed -i /^DNS/d /etc/netctl/$p; /usr/lib/netctl/network start $p; }; done", "", "arch-netctl",
	},
}

// TestAppliedNetworks has the ifup of three kinds, netctl and commands for ip bring up interfaces of their own
// network namespace by each golden file of static NICs, and holds addresses and default routes
// against what the file for systemd-networkd says. With DHCP, where nobody would answer, three
// of them only say what they would do.
func TestAppliedNetworks(t *testing.T) {
	harness.Gate(t, "mmdebstrap", "unshare", "ip", "chroot", "apt-get", "dpkg-deb")
	t.Parallel()
	shown := support.Collect(t)
	root := appliedRoot(t)
	cases, err := filepath.Glob(renderings + "networkd/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	looked := 0
	for _, c := range cases {
		name := filepath.Base(c)
		want, static := wantedFacts(t, name)
		if static {
			looked++
		}
		for _, stack := range applied {
			if !static {
				if stack.look != "" {
					bringUp(t, root, stack.place, stack.look, name, stack.dir, stack.file)
				}
				continue
			}
			got := bringUp(t, root, stack.place, stack.command, name, stack.dir, stack.file)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s, %s (-networkd's file +what is there):\n%s", name, stack.name, diff)
			}
		}
	}
	if looked < 9 {
		t.Errorf("only %d cases of static NICs", looked)
	}
	for _, stack := range applied {
		shown.Show(stack.row, stack.name, support.Parser)
	}
}

// appliedRoot returns a directory with the programs. The three kinds of ifup cannot be
// installed together.
func appliedRoot(t *testing.T) string {
	t.Helper()
	cmd := exec.Command("../images/tools.sh", "bookworm", "ifupdown2", "netctl", "iproute2", "procps",
		"bash", "dash", "coreutils", "grep", "sed", "findutils", "mawk", "ncurses-bin")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("programs of network stacks: %v", err)
	}
	tools := strings.TrimSpace(string(out))
	dir := harness.Dir(t)
	fetch := exec.Command("sh", "-ec", `cd "$1"; apt-get -qq -o APT::Sandbox::User=root download ifupdown ifupdown-ng
		mkdir opt; dpkg-deb -x ifupdown_*.deb opt/classic; dpkg-deb -x ifupdown-ng_*.deb opt/ng
		for d in proc sys opt etc/network etc/netctl; do mkdir -p "$2/$d"; done`, "fetch", dir, tools)
	if out, err := fetch.CombinedOutput(); err != nil {
		t.Fatalf("ifupdown and ifupdown-ng: %v: %s", err, out)
	}
	return tools + "\x00" + filepath.Join(dir, "opt")
}

var (
	wantedAddress = regexp.MustCompile(`(?m)^Address=(.*)$`)
	wantedRoute   = regexp.MustCompile(`(?m)^Gateway=(.*)\n(?:GatewayOnLink=yes\n)?(?:Metric=(\d+)\n)?`)
	dynamic       = regexp.MustCompile(`(?m)^DHCP=(yes|ipv.)$`)
	macOfNIC      = regexp.MustCompile(`"mac": ?"([^"]*)"`)
)

// wantedFacts returns the addresses and default routes of a case by the file for networkd;
// static is set where all there is stands in the file.
func wantedFacts(t *testing.T, name string) (facts []string, static bool) {
	t.Helper()
	for _, f := range golden(t, "networkd/"+name) {
		text, device := string(f.Data), strings.Replace(f.Name, "nic", "eth", 1)
		if dynamic.MatchString(text) || strings.Contains(text, "Name=en*") {
			return nil, false
		}
		for _, a := range wantedAddress.FindAllStringSubmatch(text, -1) {
			facts = append(facts, device+" "+a[1])
		}
		for _, r := range wantedRoute.FindAllStringSubmatch(text+"\n", -1) {
			fact := "default via " + r[1] + " dev " + device
			if r[2] != "" {
				fact += " metric " + r[2]
			}
			facts = append(facts, fact)
		}
	}
	slices.Sort(facts)
	return facts, len(facts) > 0
}

// bringUp lets a stack's program configure interfaces of a namespace by the golden files of a
// case.
func bringUp(t *testing.T, root, place, command, name, dir, file string) []string {
	t.Helper()
	tools, opt, _ := strings.Cut(root, "\x00")
	config := t.TempDir()
	input := ""
	for n, f := range wholeGolden(t, dir+"/"+name) {
		if n == 0 {
			input = string(f.Data)
			continue
		}
		if file != "" && f.Name != file {
			continue
		}
		p := filepath.Join(config, filepath.Base(place))
		if file == "" {
			p = filepath.Join(config, f.Name)
		}
		if err := os.WriteFile(p, f.Data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	var macs []string
	for _, m := range macOfNIC.FindAllStringSubmatch(input, -1) {
		macs = append(macs, m[1])
	}
	const script = `root=$1 opt=$2 config=$3 place=$4 command=$5; shift 5
ip link set lo up; n=0
for mac in "$@"; do
	ip link add eth$n type veth peer name p$n; ip link set p$n up addrgenmode none; ip link set eth$n address "$mac"; n=$((n + 1))
done
mount --bind "$root" "$root"; mount -t proc proc "$root/proc"; mount -t sysfs sysfs "$root/sys"; mount --rbind /dev "$root/dev"
cp -a "$root/etc/network" "$config/.shipped"
for d in run tmp etc/network etc/netctl; do mount -t tmpfs tmpfs "$root/$d"; done
cp -a "$config/.shipped/." "$root/etc/network"; mkdir -p "$root"/etc/network/if-{pre-up,up,down,post-down}.d
mount --bind "$opt" "$root/opt"; cp "$config"/* "$root/$(dirname "${place}x")"; mkdir "$root/run/netctl"
chroot "$root" sh -c "$command" >&2
ip -o addr show scope global | awk '{print $2, $4}'
{ ip route show default; ip -6 route show default; } | sed -E 's/ (proto|pref|src|scope) [^ ]+//g; s/ onlink//; s/ metric (1|1024)( |$)/\2/; s/ +$//'`
	args := append([]string{"--net", "--mount", "bash", "-c", script, "up", tools, opt, config, place, command}, macs...)
	cmd := exec.Command("unshare", args...)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Errorf("%s, %s: %v: %s", name, dir, err, stderr.String())
	}
	facts := strings.FieldsFunc(strings.TrimSpace(string(out)), func(r rune) bool { return r == '\n' })
	slices.Sort(facts)
	return facts
}
