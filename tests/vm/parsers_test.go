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
	"github.com/rogpeppe/go-internal/txtar"

	"snf-image/tests/harness"
	"snf-image/tests/support"
)

// renderings are the golden files of the renderers of network stacks.
const renderings = "../../internal/guest/netconf/testdata/"

// TestNetworkParsers has Debian's netplan make networkd's files of ours, and holds them
// against those that we make for networkd; NetworkManager reads each profile.
func TestNetworkParsers(t *testing.T) {
	harness.Gate(t, "apt-get", "dpkg-deb")
	t.Parallel()
	shown := support.Collect(t)
	dir := harness.Dir(t)
	fetch := exec.Command("sh", "-c", `apt-get -qq -o APT::Sandbox::User=root download netplan.io libnetplan0 network-manager libnm0 \
		libyaml-0-2 libjansson4 libndp0 libteamdctl0 libpsl5 libbluetooth3 libmm-glib0 libcurl3-gnutls
	for d in *.deb; do dpkg-deb -x "$d" root; done`)
	fetch.Dir = dir
	if out, err := fetch.CombinedOutput(); err != nil {
		t.Fatalf("netplan and NetworkManager: %v: %s", err, out)
	}
	cases, err := filepath.Glob(renderings + "netplan/*.txtar")
	if err != nil || len(cases) < 12 {
		t.Fatalf("%d cases: %v", len(cases), err)
	}
	for _, c := range cases {
		name := filepath.Base(c)
		for _, f := range golden(t, "netplan/"+name) {
			made := generate(t, dir, name+"-"+f.Name, f.Data)
			if f.Name == "networkd" {
				checkGenerated(t, name, made)
			}
		}
		for _, f := range golden(t, "keyfile/"+name) {
			checkProfile(t, dir, name+" "+f.Name, string(f.Data))
		}
	}
	for _, row := range []string{"debian-12", "debian-13", "ubuntu", "kubuntu"} {
		shown.Show(row, "netplan", support.Parser)
	}
	for _, row := range []string{"fedora", "centos-9", "rhel-9", "rhel-10", "rocky-9", "almalinux-10", "oracle-9", "leap-16"} {
		shown.Show(row, "networkmanager", support.Parser)
	}
}

// golden returns what a renderer made in a case.
func golden(t *testing.T, name string) []txtar.File {
	t.Helper()
	return wholeGolden(t, name)[1:]
}

// wholeGolden is golden with the input before it.
func wholeGolden(t *testing.T, name string) []txtar.File {
	t.Helper()
	a, err := txtar.ParseFile(renderings + name)
	if err != nil {
		t.Fatal(err)
	}
	return a.Files
}

// extracted returns a command of the packages below dir.
func extracted(dir, program string, args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(dir, "root", program), args...)
	libraries, _ := filepath.Glob(filepath.Join(dir, "root/usr/lib/*-linux-gnu"))
	cmd.Env = append(os.Environ(), "LD_LIBRARY_PATH="+strings.Join(libraries, ":"))
	return cmd
}

// generate runs netplan and returns the files it makes for networkd.
func generate(t *testing.T, dir, name string, yaml []byte) []string {
	t.Helper()
	root := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Join(root, "etc/netplan"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(root, "etc/netplan/50-snf-image.yaml"), yaml, 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := extracted(dir, "usr/libexec/netplan/generate", "--root-dir", root).CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("%s: netplan: %v: %s", name, err, out)
	}
	var made []string
	files, _ := filepath.Glob(filepath.Join(root, "run/systemd/network/*.network"))
	for _, f := range files {
		data, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		made = append(made, string(data))
	}
	return made
}

// checkGenerated compares what both files tell networkd to set.
func checkGenerated(t *testing.T, name string, made []string) {
	t.Helper()
	var own []string
	for _, f := range golden(t, "networkd/"+name) {
		if !strings.Contains(string(f.Data), "Unmanaged=yes") {
			own = append(own, string(f.Data))
		}
	}
	if len(own) != len(made) {
		t.Errorf("%s: netplan makes %d files, want %d", name, len(made), len(own))
		return
	}
	for i := range own {
		if diff := cmp.Diff(facts(own[i]), facts(made[i])); diff != "" {
			t.Errorf("%s: our file for networkd and netplan's (-ours +netplan's):\n%s", name, diff)
		}
	}
}

var fact = regexp.MustCompile(`(?m)^(Address|Gateway|GatewayOnLink|DNS|Domains|MTUBytes|Metric|DHCP|IPv6AcceptRA|RouteMetric)=.*$`)

// facts are the lines that count, in the words of one of the writers. Without a word
// about DHCP there is none, and netplan always ranks the routes of DHCP, by 100 or, where we
// say so, as networkd does by itself.
func facts(file string) []string {
	words := strings.NewReplacer("GatewayOnLink=true", "GatewayOnLink=yes")
	var lines []string
	for _, line := range fact.FindAllString(file, -1) {
		if line = words.Replace(line); line != "DHCP=no" && line != "RouteMetric=100" && line != "RouteMetric=1024" {
			lines = append(lines, line)
		}
	}
	slices.Sort(lines)
	return lines
}

var profileAddress = regexp.MustCompile(`(?m)^address1=([^,\n]*)`)

// checkProfile has NetworkManager read a profile and write it anew.
func checkProfile(t *testing.T, dir, name, profile string) {
	t.Helper()
	cmd := extracted(dir, "usr/bin/nmcli", "--offline", "connection", "modify", "connection.autoconnect", "yes")
	cmd.Stdin = strings.NewReader(profile)
	out, err := cmd.Output()
	if err != nil {
		t.Errorf("%s: nmcli: %v\n%s", name, err, profile)
		return
	}
	want, got := profileAddress.FindAllStringSubmatch(profile, -1), profileAddress.FindAllStringSubmatch(string(out), -1)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s: addresses (-profile +NetworkManager):\n%s", name, diff)
	}
}
