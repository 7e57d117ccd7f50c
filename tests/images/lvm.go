package images

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Sizes of LVM, in MiB: an extent, and what lies in front of the first one.
const (
	extentMiB = 4
	leadMiB   = 1
)

// LVM runs a command of LVM that sees the given devices alone, and returns what it
// printed. It works on what is on the disk and needs no device mapper.
func LVM(t testing.TB, devices []string, args ...string) string {
	t.Helper()
	var accept strings.Builder
	for _, d := range devices {
		fmt.Fprintf(&accept, `"a|^%s$|", `, d)
	}
	config := fmt.Sprintf(`devices { filter = [ %[1]s"r|.*|" ] global_filter = [ %[1]s"r|.*|" ] use_devicesfile = 0 `+
		`obtain_device_list_from_udev = 0 external_device_info_source = "none" md_component_detection = 0 `+
		`multipath_component_detection = 0 } backup { backup = 0 archive = 0 } `+
		`global { event_activation = 0 use_lvmpolld = 0 locking_dir = %[2]q }`, accept.String(), t.TempDir())
	all := slices.Concat([]string{args[0], "--driverloaded", "n", "--config", config}, args[1:])
	cmd := exec.CommandContext(t.Context(), "lvm", all...)
	cmd.Env = append(os.Environ(), "LC_ALL=C", "LVM_SUPPRESS_FD_WARNINGS=1", "PATH="+os.Getenv("PATH")+":/usr/sbin:/sbin")
	out, err := cmd.Output()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		t.Fatalf("lvm %q: %v\n%s%s", args, err, out, exit.Stderr)
	} else if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

// Loop returns a loop device of a part of a file, in bytes, all that follows for a size of 0. It
// is removed once, when the function returned is called or at the end of the test: later, another
// test may have the device.
func Loop(t testing.TB, file string, offset, size int64) (device string, remove func()) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "losetup", "--show", "--find", "--offset", fmt.Sprint(offset),
		"--sizelimit", fmt.Sprint(size), file).Output()
	if err != nil {
		t.Fatalf("losetup: %v", err)
	}
	device = strings.TrimSpace(string(out))
	done := false
	remove = func() {
		if !done {
			done = true
			if out, err := exec.Command("losetup", "--detach", device).CombinedOutput(); err != nil {
				t.Errorf("losetup --detach: %v\n%s", err, out)
			}
		}
	}
	t.Cleanup(remove)
	return device, remove
}

// writeGroups makes the volume groups of the image and what is in their volumes.
func (i Image) writeGroups(t testing.TB, f *os.File, path string) {
	t.Helper()
	var parts []Part
	for n, p := range i.Parts {
		if p.FS != "lvm" {
			continue
		}
		parts = append(parts, p)
		if last := !slices.ContainsFunc(i.Parts[n+1:], func(o Part) bool { return o.FS == "lvm" && o.Group == p.Group }); last {
			writeGroup(t, f, path, slices.DeleteFunc(slices.Clone(parts), func(o Part) bool { return o.Group != p.Group }))
		}
	}
}

// writeGroup makes the group of these partitions. Its volumes lie one behind the other in
// the last one, in front of what is free.
func writeGroup(t testing.TB, f *os.File, path string, parts []Part) {
	t.Helper()
	var devices []string
	for _, p := range parts {
		device, remove := Loop(t, path, p.Start*MiB, p.MiB*MiB)
		defer remove()
		devices = append(devices, device)
	}
	last := parts[len(parts)-1]
	for n, d := range devices {
		LVM(t, devices, "pvcreate", "--yes", "--dataalignment", fmt.Sprintf("%dm", leadMiB), "--norestorefile",
			"--uuid", fmt.Sprintf("5eed00-0000-0000-0000-0000-0000-00000%d", n), d)
	}
	LVM(t, devices, append([]string{"vgcreate", "--physicalextentsize", fmt.Sprintf("%dm", extentMiB), last.Group}, devices...)...)
	at := last.Start + leadMiB
	for _, v := range last.Volumes {
		place := []string{devices[len(devices)-1]}
		if v.Stripes > 1 {
			place = append([]string{"--stripes", fmt.Sprint(v.Stripes), "--stripesize", "64k"}, devices...)
		}
		LVM(t, devices, slices.Concat([]string{
			"lvcreate", "--activate", "n", "--zero", "n", "--wipesignatures", "n",
			"--extents", fmt.Sprint(v.MiB / extentMiB), "--name", v.Name, last.Group,
		}, place)...)
		if v.Stripes > 1 {
			v.writeStriped(t, f, parts)
			at += v.MiB / v.Stripes
			continue
		}
		v.Start = at
		v.write(t, f, path)
		at += v.MiB
	}
}

// writeStriped makes what is in a volume that lies, from their first extents on, on all the
// partitions.
func (p Part) writeStriped(t testing.TB, f *os.File, stores []Part) {
	t.Helper()
	const chunk = 64 << 10
	file := filepath.Join(t.TempDir(), "striped")
	apart, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	defer apart.Close()
	if err := apart.Truncate(p.MiB * MiB); err != nil {
		t.Fatal(err)
	}
	p.Start = 0
	p.write(t, apart, file)
	buf := make([]byte, chunk)
	for n := range p.MiB * MiB / chunk {
		if _, err := apart.ReadAt(buf, n*chunk); err != nil {
			t.Fatal(err)
		}
		store := stores[n%p.Stripes]
		if _, err := f.WriteAt(buf, (store.Start+leadMiB)*MiB+n/p.Stripes*chunk); err != nil {
			t.Fatal(err)
		}
	}
}
