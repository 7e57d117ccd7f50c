package fstab

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"snf-image/internal/guest/filesystem"
)

// volumes of a machine with two disks.
var testVolumes = []filesystem.Volume{
	{Path: "/dev/disk-a1", Number: 1, Type: "vfat", UUID: "1234-ABCD", Label: "ESP", PartUUID: "AA-1", PartLabel: "EFI system"},
	{Path: "/dev/disk-a2", Number: 2, Type: "ext4", UUID: "aaaa", Label: "root"},
	{Path: "/dev/disk-a3", Number: 3},
	{Path: "/dev/disk-a-lv1", Number: 3, Type: "ext4", UUID: "dddd", Group: "my-vg", Logical: "home"},
	{Path: "/dev/disk-b", Disk: 1, Type: "ext4", UUID: "bbbb", Label: "my data"},
}

func TestResolve(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, fstab string
		want        []string // device and mount point
		warnings    int
		err         error
		text        string
	}{
		{
			"usual", "# comment\nUUID=aaaa / ext4 errors=remount-ro 0 1\nUUID=1234-abcd /boot/efi vfat umask=0077 0 1\n",
			[]string{"/dev/disk-a1 /boot/efi"},
			0, nil, "",
		},
		{
			"other tags", "LABEL=root / ext4 defaults 0 1\nPARTUUID=aa-1 /a vfat\nPARTLABEL=EFI\\040system /b vfat\n",
			[]string{"/dev/disk-a1 /a", "/dev/disk-a1 /b"},
			0, nil, "",
		},
		{
			"by links", "/dev/disk/by-uuid/aaaa / ext4\n/dev/disk/by-label/my\\x20data /srv ext4\n",
			[]string{"/dev/disk-b /srv"},
			0, nil, "",
		},
		{"quotes", "UUID=\"bbbb\" /srv ext4\n", []string{"/dev/disk-b /srv"}, 0, nil, ""},
		{
			"parents first", "UUID=aaaa /srv/a/b ext4\nUUID=bbbb /srv ext4\nUUID=1234-ABCD /srv/a/ vfat\n",
			[]string{"/dev/disk-b /srv", "/dev/disk-a1 /srv/a", "/dev/disk-a2 /srv/a/b"},
			0, nil, "",
		},
		{"skipped", "proc /proc proc defaults 0 0\ntmpfs /tmp tmpfs\nnone /x none\nUUID=cccc none swap sw\n/swapfile none swap sw\n" +
			"nas:/export /nas nfs\n//nas/x /cifs cifs\n/dev/sr0 /media/cdrom0 udf,iso9660 user,noauto\n/dev/cdrom /cd auto\n/dev/fd0 /floppy auto\n" +
			"/a /b none bind\noverlay /o overlay\n/x.iso /iso iso9660 loop\n", nil, 0, nil, ""},
		{"carriage returns", "UUID=aaaa / ext4 defaults\r\nUUID=bbbb /srv ext4\r\n\r\n", []string{"/dev/disk-b /srv"}, 0, nil, ""},
		{
			"names with other white space", "UUID=bbbb /a\u00a0b ext4\nUUID=aaaa /c\\302\\240d ext4\n",
			[]string{"/dev/disk-b /a\u00a0b", "/dev/disk-a2 /c\u00a0d"},
			0, nil, "",
		},
		{"too short", "UUID=aaaa /\n", nil, 0, nil, ""},
		{"not persistent", "/dev/vda1 / ext4 defaults\n", nil, 0, ErrNotPersistent, "fstab entry /dev/vda1 for /"},
		{"not persistent but optional", "/dev/sdb1 /x ext4 noauto\n/dev/sdc1 /y ext4 defaults,nofail\n", nil, 1, nil, ""},
		{"unknown", "UUID=cccc /x ext4\n", nil, 0, nil, "no disk of the instance has it"},
		{"unknown but optional", "UUID=cccc /x ext4 nofail\nLABEL=no /y ext4 noauto\n", nil, 1, nil, ""},
		{"empty tag", "UUID= /x ext4\n", nil, 0, nil, "no disk of the instance has it"},
		{"noauto is not mounted", "UUID=bbbb /x ext4 noauto\n", nil, 0, nil, ""},
		{"LVM", "/dev/mapper/my--vg-home /home ext4\n/dev/disk/by-id/dm-name-my--vg-home /h xfs\n", []string{"/dev/disk-a-lv1 /home", "/dev/disk-a-lv1 /h"}, 0, nil, ""},
		{"LVM by group", "/dev/my-vg/home /home ext4\n", []string{"/dev/disk-a-lv1 /home"}, 0, nil, ""},
		{"LVM of another group", "/dev/vg/home /home ext4\n", nil, 0, nil, "no LVM volume of the image"},
		{"LVM of another name", "/dev/mapper/my-vg-home /home ext4\n", nil, 0, nil, "no LVM volume of the image"},
		{"point that climbs", "UUID=bbbb /../../srv ext4\n", []string{"/dev/disk-b /srv"}, 0, nil, ""},
		{"point that is the root", "UUID=bbbb /usr/.. ext4 nofail\n", nil, 0, ErrCoversRoot, "for /usr/.."},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			mounts, warnings, err := Resolve(Parse([]byte(tt.fstab)), testVolumes)
			if failed := tt.err != nil || tt.text != ""; failed != (err != nil) ||
				failed && (tt.err != nil && !errors.Is(err, tt.err) || !strings.Contains(err.Error(), tt.text)) {
				t.Fatalf("Resolve = %v, want %v with %q", err, tt.err, tt.text)
			}
			var got []string
			for _, m := range mounts {
				got = append(got, m.Volume.Path+" "+m.Point)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("mounts (-want +got):\n%s", diff)
			}
			if len(warnings) != tt.warnings {
				t.Errorf("warnings = %q, want %d", warnings, tt.warnings)
			}
		})
	}
}

func FuzzResolve(f *testing.F) {
	f.Add([]byte("UUID=aaaa / ext4 defaults 0 1\n/dev/disk/by-label/a\\x2 /b\\04 auto nofail,x\nLABEL=\\ /../c d"))
	f.Fuzz(func(t *testing.T, data []byte) {
		mounts, _, err := Resolve(Parse(data), testVolumes)
		if err != nil {
			return
		}
		for _, m := range mounts {
			if !strings.HasPrefix(m.Point, "/") || strings.Contains(m.Point+"/", "/../") || m.Point == "/" {
				t.Errorf("mount point %q", m.Point)
			}
		}
	})
}
