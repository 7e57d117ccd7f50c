package vm

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"snf-image/internal/report"
	"snf-image/tests/harness"
	"snf-image/tests/images"
	"snf-image/tests/systems"
)

// TestKernelOptions has a unified kernel image on an EFI system partition that tells cloud-init to
// stay away: it is looked at where the image's fstab mounts that, and warned of elsewhere. Of
// GRUB's entries the default one counts.
func TestKernelOptions(t *testing.T) {
	harness.Gate(t, "as", "objcopy", "mkfs.vfat")
	const root, esp = "UUID=" + images.RootUUID + " / ext4 defaults 0 1\n", "UUID=5EED-0001 /boot/efi vfat defaults 0 2\n"
	j := newJob(t, images.GPT("ext4", cloudDebian().With(images.Entry{Path: "etc/fstab", Data: root + esp}, images.Entry{Path: "boot/efi/"})))
	kernel := systems.UnifiedKernel(t, "root=x cloud-init=disabled")
	script := fmt.Sprintf("mkdir -p \"$SNF_IMAGE_TARGET/boot/efi/EFI/Linux\" && base64 -d > \"$SNF_IMAGE_TARGET/boot/efi/EFI/Linux/a.efi\" <<'END'\n%s\nEND", base64.StdEncoding.EncodeToString([]byte(kernel)))
	site.Run(t, j.args(append(custom(script), "--property", "CLOUD_INIT=leave")...)...).OK(t)
	j.done()
	for _, c := range []struct {
		title   string
		files   map[string]string
		verdict string
		warned  bool
	}{
		{"mounted", nil, "disabled by cloud-init=disabled on the kernel's command line, in /boot/efi/EFI/Linux/a.efi", false},
		{"not mounted, and entries", map[string]string{
			"etc/fstab": root, "boot/grub/grub.cfg": "set default=\"${saved_entry}\"\nblscfg\n", "boot/grub/grubenv": "kernelopts=cloud-init=disabled ro\n",
			"boot/loader/entries/m-6.1.0-9.conf": "linux /v\noptions root=x\n", "boot/loader/entries/m-6.1.0-10.conf": "linux /v\noptions root=x $kernelopts\n",
		}, "disabled by cloud-init=disabled on the kernel's command line, in /boot/grub/grubenv", true},
	} {
		if c.files != nil {
			furnish(t, j.disk, 3, c.files)
		}
		var in report.Inspection
		if err := json.Unmarshal([]byte(site.Run(t, "inspect", "--json", j.disk).OK(t).Stdout), &in); err != nil {
			t.Fatal(err)
		}
		warns := func(w string) bool {
			return strings.HasPrefix(w, "/EFI/Linux/a.efi on ") && strings.Contains(w, "cloud-init=disabled")
		}
		if in.CloudInit != c.verdict || slices.ContainsFunc(in.Warnings, warns) != c.warned {
			t.Errorf("%s: cloud-init %s, warnings %q", c.title, in.CloudInit, in.Warnings)
		}
	}
}
