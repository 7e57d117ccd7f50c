package network

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"snf-image/internal/guest/netconf"
	"snf-image/internal/guest/rootfs"
)

// TestWriteResolver looks at the resolver's file and at the copy of what was there.
func TestWriteResolver(t *testing.T) {
	t.Parallel()
	const (
		file = "etc/resolv.conf"
		orig = file + keptOriginal
		last = file + keptLast
		ours = "# This file was written by snf-image.\nnameserver 192.0.2.53\nnameserver 2001:db8::53\nsearch example.org example.net\n"
		stub = "../run/systemd/resolve/stub-resolv.conf"
	)
	text := func(s string) string { return "-rw-r--r-- " + s }
	private := func(s string) string { return "-rw------- " + s }
	link := func(s string) string { return "Lrwxrwxrwx " + s }
	for title, c := range map[string]struct {
		files  map[string]string
		living bool
		want   map[string]string // of resolv.conf and its copies
	}{
		"no file":               {nil, false, map[string]string{file: text(ours)}},
		"file":                  {map[string]string{file: "old\n"}, false, map[string]string{file: text(ours), orig: private("old\n")}},
		"ours":                  {map[string]string{file: resolverHeader + "old\n"}, false, map[string]string{file: text(ours)}},
		"ours, living":          {map[string]string{file: resolverHeader + "old\n"}, true, map[string]string{file: text(ours), last: private(resolverHeader + "old\n")}},
		"the same":              {map[string]string{file: ours}, true, map[string]string{file: text(ours)}},
		"changed, living":       {map[string]string{file: "new\n", orig: "old\n"}, true, map[string]string{file: text(ours), orig: text("old\n"), last: private("new\n")}},
		"another image":         {map[string]string{file: "new\n", orig: "old\n"}, false, map[string]string{file: text(ours), orig: private("new\n")}},
		"link":                  {map[string]string{file: "-> " + stub}, false, map[string]string{file: text(ours), orig: link(stub)}},
		"link out":              {map[string]string{file: "-> OUTSIDE/canary"}, false, map[string]string{file: text(ours), orig: "Lrwxrwxrwx OUTSIDE"}},
		"link to a file":        {map[string]string{file: "-> resolv", "etc/resolv": "x"}, false, map[string]string{file: text(ours), orig: link("resolv"), "etc/resolv": text("x")}},
		"link, living":          {map[string]string{file: "-> new", orig: "-> old"}, true, map[string]string{file: text(ours), orig: link("old"), last: link("new")}},
		"FIFO":                  {map[string]string{file: "FIFO"}, false, map[string]string{file: text(ours)}},
		"resolvconf":            {map[string]string{file: "old\n", "sbin/resolvconf": ""}, false, map[string]string{file: text("old\n")}},
		"resolved":              {map[string]string{file: "old\n", "etc/systemd/system/a.wants/systemd-resolved.service": "", "etc/network/if-up.d/resolved": ""}, false, map[string]string{file: text(ours), orig: private("old\n")}},
		"resolvconf of systemd": {map[string]string{file: "old\n", "sbin/resolvconf": "-> ../bin/resolvectl", "bin/resolvectl": ""}, false, map[string]string{file: text(ours), orig: private("old\n")}},
		"resolved, led to":      {map[string]string{file: "-> " + stub, "etc/systemd/system/a.wants/systemd-resolved.service": ""}, false, map[string]string{file: link(stub)}},
		"resolved by hand":      {map[string]string{file: "old\n", "etc/network/if-up.d/resolved": ""}, false, map[string]string{file: text(ours), orig: private("old\n")}},
		"resolved of no help":   {map[string]string{file: "old\n", "etc/systemd/system/a.wants/systemd-resolved.service": ""}, false, map[string]string{file: text(ours), orig: private("old\n")}},
	} {
		t.Run(title, func(t *testing.T) {
			t.Parallel()
			g := newGuest(t, c.files)
			_, err := g.Root.MkdirAll("/etc", rootfs.Attr{Mode: 0o755})
			check(t, err)
			g.Living = c.living
			check(t, writeResolver(g.Guest, resolving("192.0.2.53", "2001:db8::53")))
			got := map[string]string{}
			for p, text := range g.Snapshot(t) {
				if p = strings.TrimPrefix(p, "/"); strings.HasPrefix(p, "etc/resolv") {
					if at := strings.Index(text, g.Dir[:strings.LastIndex(g.Dir, "/")]); at >= 0 {
						text = text[:at] + "OUTSIDE"
					}
					got[p] = text
				}
			}
			if diff := cmp.Diff(c.want, got); diff != "" || len(*g.Warnings) > 0 {
				t.Errorf("warnings %q, files (-want +got):\n%s", *g.Warnings, diff)
			}
		})
	}
}

// TestTellResolved keeps name servers from ifupdown's hook for systemd-resolved, which is told
// by a file.
func TestTellResolved(t *testing.T) {
	t.Parallel()
	g := newGuest(t, map[string]string{
		"usr/sbin/ifup": "", "etc/network/interfaces": "", "etc/network/if-up.d/resolved": "", "etc/systemd/system/a.wants/systemd-resolved.service": "",
		"etc/resolv.conf": "-> ../run/systemd/resolve/stub-resolv.conf", "var/lib/dpkg/status": "Package: ifupdown\nStatus: install ok installed\nVersion: 0.8.41\n",
	})
	interfaces := resolving("192.0.2.53")
	interfaces[0].IPv4, interfaces[0].Name, interfaces[0].MAC = netconf.DHCP, "eth0", "aa:00:00:00:00:01"
	check(t, Check(g.Guest, interfaces, false))
	check(t, Configure(g.Guest, interfaces, false))
	const want = "# This file was written by snf-image.\n[Resolve]\nDNS=192.0.2.53\nDomains=example.org example.net\n"
	if got := g.Content(t, "etc/systemd/resolved.conf.d/50-snf-image.conf"); got != want {
		t.Errorf("resolved is told %q, want %q", got, want)
	}
	if got := g.Content(t, "etc/network/interfaces"); strings.Contains(got, "dns") {
		t.Errorf("the hook is told of name servers:\n%s", got)
	}
}

// TestWriteResolverServers tells of no server, and of more than it asks.
func TestWriteResolverServers(t *testing.T) {
	t.Parallel()
	g := newGuest(t, map[string]string{"etc/resolv.conf": "old\n"})
	check(t, writeResolver(g.Guest, []netconf.Interface{{IPv4: netconf.DHCP}}))
	if got := g.Content(t, "etc/resolv.conf"); got != "old\n" || len(g.Root.Changed()) > 0 {
		t.Errorf("without a server: %q, changed %v", got, g.Root.Changed())
	}
	check(t, writeResolver(g.Guest, resolving("192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4")))
	if len(*g.Warnings) != 1 || !strings.Contains((*g.Warnings)[0], "first 3 of 4") {
		t.Errorf("warnings %q, want one of four servers", *g.Warnings)
	}
	g = newGuest(t, map[string]string{"etc/resolv.conf": "DIR"})
	wants(t, writeResolver(g.Guest, resolving("192.0.2.1")), "a directory")
}

// resolving returns an interface with these name servers.
func resolving(servers ...string) []netconf.Interface {
	i := netconf.Interface{Search: []string{"example.org", "example.net"}}
	for _, s := range servers {
		i.DNS = append(i.DNS, netip.MustParseAddr(s))
	}
	return []netconf.Interface{i}
}

// TestAwaitDevices writes and takes away the drop-in that has systemd wait.
func TestAwaitDevices(t *testing.T) {
	t.Parallel()
	const unit, dropin = "usr/lib/systemd/system/networking.service", "etc/systemd/system/networking.service.d/50-snf-image.conf"
	for title, c := range map[string]struct {
		files  map[string]string
		needed bool
		want   string // content of the drop-in, "" for no file
	}{
		"needed":            {map[string]string{unit: ""}, true, waitContent},
		"older place":       {map[string]string{"lib/systemd/system/networking.service": ""}, true, waitContent},
		"there already":     {map[string]string{unit: "", dropin: "x"}, true, waitContent},
		"not needed":        {map[string]string{unit: ""}, false, ""},
		"not needed now":    {map[string]string{unit: "", dropin: waitContent}, false, ""},
		"without systemd":   {map[string]string{"etc/init.d/networking": ""}, true, ""},
		"link in its place": {map[string]string{unit: "", dropin: "-> OUTSIDE/canary"}, true, waitContent},
		"link not needed":   {map[string]string{unit: "", dropin: "-> OUTSIDE/canary"}, false, ""},
	} {
		t.Run(title, func(t *testing.T) {
			t.Parallel()
			g := newGuest(t, c.files)
			check(t, awaitDevices(g.Guest, c.needed))
			if c.want == "" {
				if g.Root.Has("/" + dropin) {
					t.Error("the drop-in is there")
				}
				return
			}
			if got := g.Content(t, dropin); got != c.want {
				t.Errorf("the drop-in is %q", got)
			}
		})
	}
}
