package partition

import (
	"strings"
	"testing"
)

// Types of partitions, as sfdisk takes them.
const (
	biosBoot = "21686148-6449-6E6F-744E-656564454649"
	esp      = "U"
	xbootldr = "BC13C2FF-59E6-4262-A352-B275FD6F7172"
	prep     = "9E1A2D38-C612-4316-AA26-8B49521E5A8B"
)

// vendors are the tables of cloud images, in the order of the disk and at a fraction of their
// sizes; Kali's is that of Debian, that of minimal images of Ubuntu is Ubuntu's, and Alpine's for
// BIOS is none. The root, or what is there for data, is last, whatever its number.
var vendors = []struct {
	name, script string
	root         int
}{
	{"Debian", "14: start=1MiB size=1MiB type=" + biosBoot + "\n15: size=4MiB type=U\n1: type=4F68BCE3-E8CD-4DB1-96E7-FBCAF984B709", 1},
	{"Ubuntu 22.04", "14: size=4MiB type=" + biosBoot + "\n15: size=6MiB type=" + esp + "\n1: type=L", 1},
	{"Ubuntu 24.04", "14: size=4MiB type=" + biosBoot + "\n15: size=6MiB type=U\n16: size=8MiB type=" + xbootldr + "\n1: type=L", 1},
	{"Ubuntu 25.04", "13: size=8MiB type=" + xbootldr + "\n14: size=4MiB type=" + biosBoot + "\n15: size=6MiB type=U\n1: type=L", 1},
	{"Fedora", "1: size=2MiB type=" + biosBoot + "\n2: size=4MiB type=U\n3: size=10MiB type=" + xbootldr + "\n4: type=L", 4},
	{"Rocky", "1: size=4MiB type=U\n2: size=10MiB type=L\n3: size=4MiB type=" + prep + "\n4: size=1MiB type=" + biosBoot + "\n5: type=L", 5},
	{"Rocky LVM", "1: size=4MiB type=U\n2: size=10MiB type=L\n3: size=4MiB type=" + prep + "\n4: size=1MiB type=" + biosBoot + "\n5: type=V", 5},
	{"Alma", "1: size=1MiB type=" + biosBoot + "\n2: size=4MiB type=U\n3: size=10MiB type=L\n4: type=L", 4},
	{"openSUSE", "1: size=2MiB type=" + biosBoot + "\n2: size=4MiB type=U\n3: type=L", 3},
	{"Alpine UEFI", "first-lba: 34\n1: start=64 size=1984 type=U\n2: start=2048 type=L", 2},
	{"Amazon Linux", "127: start=1MiB size=1MiB type=" + biosBoot + "\n128: size=10MiB type=U\n1: type=L", 1},
	{"Oracle", "1: size=4MiB type=U\n2: size=6MiB type=L\n3: size=4MiB type=S\n4: type=V", 4},
	{"FreeBSD", "1: size=1MiB type=83BD6B9D-7F41-11DC-BE0B-001560B84F0F name=bootfs\n2: size=4MiB type=U name=efiesp\n3: size=4MiB type=516E7CB5-6ECF-11D6-8FF8-00022D09712B\n4: size=1MiB type=516E7CB4-6ECF-11D6-8FF8-00022D09712B name=config-drive\n5: type=516E7CB6-6ECF-11D6-8FF8-00022D09712B name=rootfs", 5},
	{"Flatcar", "1: size=4MiB type=U\n2: size=2MiB type=" + biosBoot + "\n3: size=3MiB type=L\n4: size=3MiB type=L\n6: size=2MiB type=L\n7: size=1MiB type=L\n9: type=L", 9},
	{"Fedora UKI", "1: size=10MiB type=U\n2: type=4F68BCE3-E8CD-4DB1-96E7-FBCAF984B709", 2},
	{"Fedora Server", "1: size=2MiB type=" + biosBoot + "\n2: size=4MiB type=U\n3: size=10MiB type=" + xbootldr + "\n4: type=V", 4},
	{"CentOS GPT", "1: type=L", 1},
	{"Arch", "1: size=1MiB type=" + biosBoot + "\n2: size=4MiB type=U\n3: type=4F68BCE3-E8CD-4DB1-96E7-FBCAF984B709", 3},
	{"Fedora CoreOS", "1: size=1MiB type=" + biosBoot + " name=BIOS-BOOT\n2: size=4MiB type=U name=EFI-SYSTEM\n3: size=8MiB type=L name=boot\n4: type=L name=root", 4},
	{"Talos", "1: size=4MiB type=U name=EFI\n2: size=1MiB type=" + biosBoot + " name=BIOS\n3: size=4MiB type=L name=BOOT\n4: size=1MiB type=L name=META\n5: size=4MiB type=L name=STATE\n6: type=L name=EPHEMERAL", 6},
	{"CentOS MBR", "label: dos\n1: start=2048 type=83 bootable", 1},
}

// TestVendorsTables grows the root of each, and nothing else.
func TestVendorsTables(t *testing.T) {
	t.Parallel()
	for _, v := range vendors {
		t.Run(v.name, func(t *testing.T) {
			t.Parallel()
			script := v.script + "\n"
			if !strings.HasPrefix(script, "label:") {
				script = "label: gpt\n" + script
			}
			f := makeDisk(t, script, 40, 64)
			before := read(t, f)
			c := grow(t, f, nil)
			after := read(t, f)
			if c.Last != v.root || c.Grown != v.root || c.Moved != 0 {
				t.Errorf("Grow = %+v, want partition %d grown", c, v.root)
			}
			for _, p := range before.Partitions {
				q, _ := after.Partition(p.Number)
				if p.Number == v.root {
					if q.End() < 58*mib {
						t.Errorf("the root ends at %d", q.End())
					}
					q.Size = p.Size
				}
				if p != q {
					t.Errorf("partition %+v became %+v", p, q)
				}
			}
			checkListing(t, f)
			verify(t, f, before.Kind)
		})
	}
}

// TestMove has swap partitions at the end, which are moved, and those that are not.
func TestMove(t *testing.T) {
	t.Parallel()
	const end = 64 * mib / 512
	const last = end - 33 // of what a GPT leaves, cut to a MiB
	for _, tt := range []struct {
		name, script string
		r            Request
		moved        int
		want         []string
	}{
		{
			"gpt", "label: gpt\n1: start=1MiB size=20MiB type=L\n2: size=4MiB type=S name=swap attrs=\"GUID:63\"\n",
			Request{Move: 2},
			2,
			[]string{"1: 2048 " + at(last/2048*2048-8192), "2: " + at(last/2048*2048-8192) + " " + at(last/2048*2048)},
		},
		{
			"odd size", "label: gpt\n2: start=1MiB size=20MiB type=L\n1: size=8191 type=S\n",
			Request{Move: 1},
			1,
			[]string{"1: " + at(last/2048*2048-8192) + " " + at(last/2048*2048-1), "2: 2048 " + at(last/2048*2048-8192)},
		},
		{
			"dos", "label: dos\n1: start=2048 size=20MiB type=83\n2: size=4MiB type=82\n",
			Request{Move: 2},
			2,
			[]string{"1: 2048 " + at(end-8192), "2: " + at(end-8192) + " " + at(end)},
		},
		{
			"only logical", "label: dos\n1: start=2048 size=20MiB type=83 bootable\n2: size=5MiB type=5\n5: size=4MiB type=82\n",
			Request{Move: 5},
			5,
			[]string{"1: 2048 " + at(end-5*2048), "2: " + at(end-5*2048) + " " + at(end), "5: " + at(end-8192) + " " + at(end)},
		},
		{
			"last logical", "label: dos\n1: start=2048 size=4MiB type=83\n2: size=20MiB type=f\n5: size=8MiB type=83\n6: size=4MiB type=82\n",
			Request{Move: 6},
			6,
			[]string{"2: 10240 " + at(end), "5: 12288 " + at(end-5*2048), "6: " + at(end-8192) + " " + at(end)},
		},
		{
			"with one more swap", "label: gpt\n1: start=1MiB size=20MiB type=L\n2: size=4MiB type=S\n",
			Request{Move: 2, Swap: &Swap{3, 8, swapUUID}},
			2,
			[]string{"1: 2048 " + at(end-13*2048), "2: " + at(end-13*2048) + " " + at(end-9*2048), "3: " + at(end-9*2048) + " " + at(end-2048)},
		},
		{
			"not the last", "label: gpt\n2: start=1MiB size=4MiB type=S\n1: size=20MiB type=L\n",
			Request{Move: 2},
			0,
			[]string{"1: 10240 " + at(last/2048*2048)},
		},
		{"nothing before it", "label: gpt\n1: start=1MiB size=4MiB type=S\n", Request{Move: 1}, 0, []string{"1: 2048 " + at(last/2048*2048)}},
		{
			"a target in front of it", "label: gpt\n1: start=1MiB size=4MiB type=L\n2: start=9MiB size=4MiB type=L\n3: size=4MiB type=S\n",
			Request{Target: 1, Move: 3},
			0,
			[]string{"1: 2048 18432"},
		},
		{
			"a logical target", "label: dos\n2: start=2048 size=30MiB type=5\n5: start=4096 size=4MiB type=83\n6: start=20480 size=4MiB type=83\n",
			Request{Target: 5},
			0,
			[]string{"5: 4096 18432"},
		},
		{"a target without room", "label: gpt\n1: start=1MiB size=4MiB type=L\n2: size=4MiB type=L\n", Request{Target: 1}, 0, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := makeDisk(t, tt.script, 32, 64)
			before := read(t, f)
			table := read(t, f)
			c, err := table.Grow(tt.r)
			if err != nil {
				t.Fatal(err)
			}
			if err := table.Write(f); err != nil {
				t.Fatal(err)
			}
			if c.Moved != tt.moved {
				t.Errorf("Grow = %+v, want partition %d moved", c, tt.moved)
			}
			if got, want := strings.Join(changes(before, read(t, f)), "\n"), strings.Join(tt.want, "\n"); got != want {
				t.Errorf("changed:\n%s\nwant:\n%s", got, want)
			}
			if p, ok := read(t, f).Partition(c.Moved); ok {
				was, _ := before.Partition(c.Moved)
				was.Start = p.Start
				if p != was {
					t.Errorf("the moved partition is %+v, and was %+v", p, was)
				}
			}
			checkListing(t, f)
			verify(t, f, before.Kind)
		})
	}
}

// TestMoveTooLittle moves nothing when the partition in front would not gain by it.
func TestMoveTooLittle(t *testing.T) {
	t.Parallel()
	f := makeDisk(t, "label: gpt\n1: start=1MiB size=20MiB type=L\n2: start=21MiB size=10MiB type=S\n", 32, 32)
	before := contents(t, f)
	table := read(t, f)
	c, err := table.Grow(Request{Move: 2})
	if err != nil || c.Moved != 0 || c.Grown != 0 || c.Last != 1 {
		t.Errorf("Grow = %+v, %v, want nothing", c, err)
	}
	if err := table.Write(f); err != nil || firstDifference(before, contents(t, f)) >= 0 {
		t.Errorf("Write: %v, and the disk changed", err)
	}
	if _, err := table.Grow(Request{Target: 9}); !strings.Contains(err.Error(), ErrTarget.Error()) {
		t.Errorf("Grow of partition 9: %v", err)
	}
}
