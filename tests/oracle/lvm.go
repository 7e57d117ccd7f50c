package oracle

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"snf-image/tests/images"
)

// Volume copies a linear or striped volume of LVM into a file of its own and returns its path. The
// partitions given hold the physical volumes of the group; 0 is the whole disk.
func Volume(t testing.TB, disk, group, name string, numbers ...int) string {
	t.Helper()
	var devices []string
	for _, n := range numbers {
		p := Partition{Size: Size(t, disk) / 512}
		if n > 0 {
			_, parts := ReadTable(t, disk)
			p = parts[n]
		}
		device, remove := images.Loop(t, disk, p.Start*512, p.Size*512)
		defer remove()
		devices = append(devices, device)
	}
	if out := images.LVM(t, devices, "vgck", group); strings.TrimSpace(out) != "" {
		t.Errorf("vgck %s: %s", group, out)
	}
	file := filepath.Join(t.TempDir(), name)
	var end int64
	for _, s := range segments(t, devices, group, name) {
		copySegment(t, file, s)
		end = max(end, s.start+s.size)
	}
	if end == 0 {
		t.Fatalf("%s has no volume %s/%s", disk, group, name)
	}
	if err := os.Truncate(file, end); err != nil {
		t.Fatal(err)
	}
	return file
}

// segment is where a piece of a volume lies, in bytes: its chunks by turns on each stripe.
type segment struct {
	stripes            []stripe
	start, size, chunk int64
}

type stripe struct {
	device string
	at     int64
}

// segments asks LVM for the segments of a volume.
func segments(t testing.TB, devices []string, group, name string) []segment {
	t.Helper()
	rows := func(kind string, args ...string) []map[string]string {
		var out struct {
			Report []map[string][]map[string]string
		}
		text := images.LVM(t, devices, append(args, "--reportformat", "json", "--units", "b", "--nosuffix")...)
		if err := json.Unmarshal([]byte(text), &out); err != nil {
			t.Fatalf("%v: %s", err, text)
		}
		return out.Report[0][kind]
	}
	number := func(text string) int64 {
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	begin := map[string]int64{}
	for _, r := range rows("pv", "pvs", "-o", "pv_name,pe_start") {
		begin[r["pv_name"]] = number(r["pe_start"])
	}
	var found []segment
	for _, r := range rows("seg", "lvs", "--segments", "-o", "lv_name,vg_extent_size,seg_start,seg_size,stripe_size,seg_pe_ranges", group) {
		if r["lv_name"] != name {
			continue
		}
		next := segment{start: number(r["seg_start"]), size: number(r["seg_size"]), chunk: number(r["stripe_size"])}
		for place := range strings.FieldsSeq(r["seg_pe_ranges"]) {
			device, extents, _ := strings.Cut(place, ":")
			first, _, _ := strings.Cut(extents, "-")
			next.stripes = append(next.stripes, stripe{device, begin[device] + number(first)*number(r["vg_extent_size"])})
		}
		found = append(found, next)
	}
	return found
}

// copySegment copies a segment to its place in a file, holes as holes.
func copySegment(t testing.TB, file string, s segment) {
	t.Helper()
	out, err := os.OpenFile(file, os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	chunk, count := s.chunk, int64(len(s.stripes))
	if count == 1 {
		chunk = 1 << 20
	}
	zeros := make([]byte, chunk)
	for i, from := range s.stripes {
		in, err := os.Open(from.device)
		if err != nil {
			t.Fatal(err)
		}
		defer in.Close()
		for n := int64(i); n*chunk < s.size; n += count {
			buf := make([]byte, min(chunk, s.size-n*chunk))
			_, err := in.ReadAt(buf, from.at+n/count*chunk)
			if err == nil && !bytes.Equal(buf, zeros[:len(buf)]) {
				_, err = out.WriteAt(buf, s.start+n*chunk)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	}
}
