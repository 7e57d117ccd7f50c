package builder

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"snf-image/internal/host/problem"
	"snf-image/internal/host/values"
	"snf-image/internal/spec"

	"github.com/google/go-cmp/cmp"
)

// TestAskedTasks plans for an installed machine what is asked for, and nothing else.
func TestAskedTasks(t *testing.T) {
	t.Parallel()
	mounted := func(tasks ...string) []string {
		return slices.Concat([]string{spec.MountImage}, tasks, []string{spec.SELinuxAutorelabel, spec.UmountImage})
	}
	grow := func(tasks ...string) []string {
		return slices.Concat([]string{spec.FixPartitionTable, spec.FilesystemResizeUnmounted},
			mounted(append([]string{spec.FilesystemResizeMounted}, tasks...)...), []string{spec.FilesystemResizeAfterUmount})
	}
	for _, tc := range []struct {
		name   string
		change func(*Parameters, *Input)
		want   []string
	}{
		{"name", func(_ *Parameters, in *Input) { in.Name = "web2" }, mounted(spec.AssignHostname)},
		{"password", func(p *Parameters, _ *Input) { p.Set(spec.ImgPasswd, "secret", "--password-file") }, mounted(spec.ChangePassword)},
		{"hash", func(p *Parameters, _ *Input) { p.Set(spec.ImgPasswdHash, "$6$x", "--password-hash-file") }, mounted(spec.ChangePassword)},
		{"keys", func(p *Parameters, _ *Input) { p.Set(spec.AuthKeys, "ssh-rsa x", "--authorized-keys") }, mounted(spec.ChangePassword)},
		{"NIC", func(_ *Parameters, in *Input) { in.NICFlags = []string{"dhcp"} }, mounted(spec.ConfigureNetwork)},
		{"no NIC", func(_ *Parameters, in *Input) { in.NICFlags = []string{values.NoNIC} }, mounted(spec.ConfigureNetwork)},
		{"file", func(p *Parameters, _ *Input) { p.AddFile(spec.File{Path: "/etc/motd"}, "--file") }, mounted(spec.EnforcePersonality)},
		{"personality", func(p *Parameters, _ *Input) { p.Set(spec.ImgPersonality, `[{"path":"/x","contents":""}]`, "f") }, mounted(spec.EnforcePersonality)},
		{"size", func(_ *Parameters, in *Input) { in.Size = "20G" }, grow()},
		{"grow", func(_ *Parameters, in *Input) { in.Grow = true }, grow()},
		{"grow and name", func(_ *Parameters, in *Input) { in.Grow, in.Name = true, "web2" }, grow(spec.AssignHostname)},
		{"swap disk", func(p *Parameters, in *Input) {
			in.Disks = append(in.Disks, spec.Disk{Path: "/dev/swap"})
			p.SetProperty(spec.PropSwap, "b", "--property")
		}, mounted(spec.AddSwap)},
		{"swap partition", func(p *Parameters, _ *Input) { p.SetProperty(spec.PropSwap, "2:64", "--property") }, slices.Concat([]string{spec.FixPartitionTable}, mounted(spec.AddSwap))},
		{"custom task", func(p *Parameters, _ *Input) { p.SetProperty(spec.PropCustomTask, "IyEvYmluL3NoCg==", "--property") }, mounted(spec.RunCustomTask)},
		{"new identity", func(_ *Parameters, in *Input) { in.NewIdentity = true }, mounted(spec.ChangeMachineID, spec.DeleteSSHKeys)},
		{"properties that only describe", func(p *Parameters, in *Input) {
			p.SetProperty(spec.PropUsers, "web", "--property")
			p.SetProperty(spec.PropRootPartition, "2", "--property")
			in.Name = "web2"
		}, mounted(spec.AssignHostname)},
		{"configuration of the node", func(p *Parameters, in *Input) {
			p.SetHint(spec.ImgProperties, `{"SWAP":"2:64","CUSTOM_TASK":"IyEvYmluL3NoCg=="}`, "/etc/default/snf-image:1")
			in.Name = "web2"
		}, mounted(spec.AssignHostname)},
		{"all", func(_ *Parameters, in *Input) { in.Asked = false }, slices.DeleteFunc(slices.Clone(always), func(n string) bool { return n == spec.AssignHostname })},
	} {
		p, in := new(Parameters), Input{Mode: spec.ModeCustomize, Asked: true, Disks: []spec.Disk{{Path: "/dev/vg/web1"}}, DefaultNIC: true}
		tc.change(p, &in)
		s, problems := Build(p, in)
		if s == nil {
			t.Errorf("%s: %v", tc.name, problems)
			continue
		}
		plan := s.Plan(spec.PlanOptions{})
		if diff := cmp.Diff(tc.want, plan.Tasks); diff != "" {
			t.Errorf("%s: tasks (-want +got):\n%s", tc.name, diff)
		}
		if only := tc.name != "all" && !slices.Contains(tc.want, spec.FilesystemResizeUnmounted); plan.SwapOnly != only {
			t.Errorf("%s: SwapOnly = %v, want %v", tc.name, plan.SwapOnly, only)
		}
	}
}

func TestNothingAsked(t *testing.T) {
	t.Parallel()
	for _, property := range []string{"", spec.PropUsers, spec.PropKeepIdentity} {
		p := new(Parameters)
		if property != "" {
			p.SetProperty(property, "root", "--property")
		}
		in := Input{Mode: spec.ModeCustomize, Asked: true, Disks: []spec.Disk{{Path: "/dev/vg/web1"}}, DefaultNIC: true}
		s, problems := Build(p, in)
		if s != nil || !errors.Is(problems.Err(), ErrNothingAsked) || !strings.Contains(problems.Error(), "--all") {
			t.Errorf("Build with %q = %v, %v, want %v that names --all", property, s, problems, ErrNothingAsked)
		}
	}
}

// TestKeepIdentity counts with img_id null alone.
func TestKeepIdentity(t *testing.T) {
	t.Parallel()
	build := func(image string, nics []spec.NIC) (*spec.Spec, problem.List) {
		p := new(Parameters)
		p.Set(spec.ImgID, image, "OSP_IMG_ID")
		p.SetProperty(spec.PropKeepIdentity, "yes", "OSP_INST_PROPERTIES")
		in := deployInput()
		in.NICs = nics
		return Build(p, in)
	}
	s, problems := build("null", []spec.NIC{{MAC: "aa:00:00:00:00:01"}})
	if s == nil || len(problems) > 0 {
		t.Fatal(problems)
	}
	plan := s.Plan(spec.PlanOptions{})
	if diff := cmp.Diff([]string{spec.MountImage, spec.AssignHostname, spec.ConfigureNetwork, spec.SELinuxAutorelabel, spec.UmountImage}, plan.Tasks); diff != "" || plan.Mode != spec.ModeCustomize {
		t.Errorf("null: mode %s, tasks (-want +got):\n%s", plan.Mode, diff)
	}
	if s, problems = build("null", nil); s == nil || slices.Contains(s.Tasks(), spec.ConfigureNetwork) {
		t.Errorf("null without a NIC: %v, want the network left alone", problems)
	}
	s, problems = build("debian", nil)
	if s == nil || len(problems.Warnings()) != 1 || !strings.Contains(problems.Error(), "KEEP_IDENTITY has no effect here") {
		t.Fatalf("with an image: %v, want one warning", problems)
	}
	if diff := cmp.Diff(always, s.Tasks()); diff != "" || s.Plan(spec.PlanOptions{}).Mode != spec.ModeDeploy {
		t.Errorf("with an image: tasks (-want +got):\n%s", diff)
	}
}

// TestNoNICGiven makes no --nic the default NIC of a new machine; without NICs
// in Ganeti there are none.
func TestNoNICGiven(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name string
		in   Input
		want []spec.NIC
	}{
		{"command line", Input{DefaultNIC: true}, []spec.NIC{{}}},
		{"none", Input{DefaultNIC: true, NICFlags: []string{values.NoNIC}}, nil},
		{"one", Input{DefaultNIC: true, NICFlags: []string{"dhcp"}}, []spec.NIC{{DHCP: true}}},
		{"Ganeti", Input{}, nil},
	} {
		in := deployInput()
		in.DefaultNIC, in.NICFlags, in.NICs = tc.in.DefaultNIC, tc.in.NICFlags, nil
		s, problems := Build(everything(), in)
		if s == nil {
			t.Fatalf("%s: %v", tc.name, problems)
		}
		if diff := cmp.Diff(tc.want, s.NICs); diff != "" || !slices.Contains(s.Tasks(), spec.ConfigureNetwork) {
			t.Errorf("%s: NICs (-want +got), tasks %v:\n%s", tc.name, s.Tasks(), diff)
		}
	}
}

// TestNICProperties reads what the properties say about networks.
func TestNICProperties(t *testing.T) {
	t.Parallel()
	in := deployInput()
	in.NICs = []spec.NIC{{IP: "192.0.2.5", Subnet: "192.0.2.0/24", Subnet6: "2001:db8::/64"}, {MAC: "aa:00:00:00:00:02"}}
	s := built(t, in, map[string]string{
		"nic_0_ip6": "2001:db8::5", "NIC_1_IP6": "2001:db8:1::5/56", spec.PropDNS: "192.0.2.53, 2001:db8::53", spec.PropSearch: "example.org", spec.PropMTU: "1400",
	})
	if a, b := s.NICs[0], s.NICs[1]; a.IP6 != "2001:db8::5" || b.IP6 != "2001:db8:1::5" || b.Subnet6 != "2001:db8:1::/56" {
		t.Errorf("NICs = %+v", s.NICs)
	}
	plan := s.Plan(spec.PlanOptions{DNS: []string{"198.51.100.53"}, Search: []string{"site.example"}})
	if diff := cmp.Diff([]string{"192.0.2.53", "2001:db8::53"}, plan.DNS); diff != "" || plan.Search[0] != "example.org" || plan.MTU != 1400 {
		t.Errorf("plan: DNS (-want +got), search %v, MTU %d:\n%s", plan.Search, plan.MTU, diff)
	}
	for name, text := range map[string]string{
		"NIC_0_IP6": "2001:db8:2::5", "NIC_1_IP6": "2001:db8::5", spec.PropDNS: "ns.example", spec.PropSearch: "a_b", spec.PropMTU: "9",
	} {
		p := everything()
		p.SetProperty(name, text, "--property")
		if _, problems := Build(p, in); !errors.Is(problems.Err(), values.ErrNIC) || !strings.Contains(problems.Error(), name) {
			t.Errorf("%s=%s: %v, want %v that names it", name, text, problems, values.ErrNIC)
		}
	}
	p := everything()
	p.SetProperty("NIC_7_IP6", "2001:db8::5/64", "--property")
	if s, problems := Build(p, in); s == nil || !strings.Contains(problems.Error(), "there is no NIC 7") {
		t.Errorf("NIC_7_IP6: %v, want a warning", problems)
	}
}

func TestMixedNICs(t *testing.T) {
	t.Parallel()
	in := deployInput()
	in.NICFlags = []string{"mac=aa:00:00:00:00:01", "ip=192.0.2.5/24"}
	if _, problems := Build(everything(), in); !errors.Is(problems.Err(), values.ErrNIC) || !strings.Contains(problems.Error(), "some NICs have a MAC address") {
		t.Errorf("NICs with and without a MAC address: %v", problems)
	}
	in.NICFlags = []string{"ip=192.0.2.5"}
	if s, problems := Build(everything(), in); s == nil || !strings.Contains(problems.Error(), "write ip=192.0.2.5/24") {
		t.Errorf("an address without a prefix length: %v, want a warning", problems)
	}
	for _, flags := range [][]string{{values.NoNIC, "dhcp"}, {values.NoNIC, values.NoNIC}} {
		in.NICFlags = flags
		if _, problems := Build(everything(), in); !errors.Is(problems.Err(), values.ErrNIC) {
			t.Errorf("--nic %v: %v, want %v", flags, problems, values.ErrNIC)
		}
	}
}

// TestIneffectiveNIC refuses flags that would be taken for the default NIC, or for
// nothing, and names the word that has none.
func TestIneffectiveNIC(t *testing.T) {
	t.Parallel()
	in := deployInput()
	for _, tc := range []struct {
		flags []string
		want  string // in the error, "" for none
	}{
		{[]string{"dhcp=no"}, "dhcp=no leaves the NIC without an address; write ip=ADDRESS/PREFIX"},
		{[]string{"mac=aa:00:00:00:00:01,dhcp=off"}, "dhcp=no leaves"},
		{[]string{"dhcp=no,ip=192.0.2.5"}, "write ip=192.0.2.5/24"},
		{[]string{"gateway=192.0.2.1"}, "gateway=192.0.2.1 has no effect without an address"},
		{[]string{"dhcp,gateway=192.0.2.1"}, "leave gateway out"},
		{[]string{"ip=2001:db8::5/64,gateway=192.0.2.1"}, "gateway=192.0.2.1"},
		{[]string{"subnet=192.0.2.0/24"}, "subnet=192.0.2.0/24 has no effect"},
		{[]string{"ip=192.0.2.5/24,subnet6=2001:db8::/64"}, "write ip6=ADDRESS/PREFIX, too"},
		{[]string{"mac=aa:00:00:00:00:01,gateway=192.0.2.1", "mac=aa:00:00:00:00:02,dhcp"}, "nic[0]"},
		{[]string{"mac=aa:00:00:00:00:01,dhcp", "mac=aa:00:00:00:00:02,dhcp=no"}, ""}, // the second stays unconfigured
		{[]string{"dhcp=no,ip=192.0.2.5/24,gateway=192.0.2.1"}, ""},
		{[]string{"dhcp=no,gateway6=fe80::1"}, ""}, // SLAAC
		{[]string{"gateway6=fe80::1,subnet6=2001:db8::/64"}, ""},
		{[]string{""}, ""},
	} {
		in.NICFlags = tc.flags
		_, problems := Build(everything(), in)
		if err := problems.Err(); tc.want == "" && err != nil {
			t.Errorf("--nic %q: %v", tc.flags, err)
		} else if tc.want != "" && (!errors.Is(err, values.ErrNIC) || !strings.Contains(err.Error(), tc.want) || len(problems.Errors()) != 1) {
			t.Errorf("--nic %q: %v, want one error with %q", tc.flags, err, tc.want)
		}
	}
	in.NICFlags = []string{"subnet6=2001:db8::/64"}
	p := everything()
	p.SetProperty("NIC_0_IP6", "2001:db8::5", "--property")
	if s, problems := Build(p, in); s == nil || s.NICs[0].IP6 != "2001:db8::5" {
		t.Errorf("a property with the address for the subnet: %v", problems)
	}
}
