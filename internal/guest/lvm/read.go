package lvm

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// fields are the reports that are asked for and what they hold. The tool gives two more,
// which are empty for this choice.
var fields = []string{
	"--configreport", "vg", "-o", "vg_name,vg_uuid,vg_extent_size,vg_missing_pv_count",
	"--configreport", "pv", "-o", "pv_name,pe_start,pv_size,pv_free",
	"--configreport", "seg", "-o", "lv_name,lv_role,lv_size,segtype,seg_start,seg_size,stripes,stripe_size,seg_pe_ranges",
	"--configreport", "lv", "-o", "lv_name", "-S", "lv_name=",
	"--configreport", "pvseg", "-o", "pvseg_start", "-S", "pvseg_start=-1",
}

// Read returns the groups on the first disk, and their volumes, by name. It changes
// nothing.
func Read(ctx context.Context) ([]Group, error) {
	out, err := run(ctx, "fullreport", append([]string{
		"--readonly", "--reportformat", "json", "--units", "b", "--nosuffix",
	}, fields...)...)
	if err != nil {
		return nil, fmt.Errorf("reading the LVM volume groups: %w", err)
	}
	groups, err := parse(out)
	if err != nil {
		return nil, fmt.Errorf("reading the LVM volume groups: %w", err)
	}
	return groups, nil
}

// row is a line of a report, by the name of the field.
type row map[string]string

// number returns a field as a number that is not negative, -1 for anything else.
func (r row) number(field string) int64 {
	n, err := strconv.ParseInt(r[field], 10, 64)
	if err != nil || n < 0 {
		return -1
	}
	return n
}

// parse reads the output of "lvm fullreport".
func parse(out []byte) ([]Group, error) {
	var reports struct {
		Report []struct {
			VG, PV, Seg []row
		}
	}
	if err := json.Unmarshal(out, &reports); err != nil {
		return nil, err
	}
	var groups []Group
	for _, r := range reports.Report {
		if len(r.VG) != 1 || r.VG[0]["vg_name"] == "" {
			continue // physical volumes of no group
		}
		g, err := newGroup(r.VG[0], r.PV, r.Seg)
		if err != nil {
			return nil, err
		}
		groups = append(groups, g)
	}
	slices.SortFunc(groups, func(a, b Group) int { return cmp.Compare(a.Name, b.Name) })
	for i := range groups[:max(len(groups)-1, 0)] {
		if groups[i].Name == groups[i+1].Name {
			return nil, ErrNames
		}
	}
	return groups, nil
}

func newGroup(vg row, stores, segments []row) (Group, error) {
	g := Group{Name: vg["vg_name"], UUID: vg["vg_uuid"], Extent: vg.number("vg_extent_size"), Missing: int(vg.number("vg_missing_pv_count"))}
	if g.Extent < 512 || g.Extent > 1<<50 {
		return g, fmt.Errorf("extents of %s bytes", strconv.Quote(vg["vg_extent_size"]))
	}
	for _, r := range stores {
		s := Store{Device: r["pv_name"], Start: r.number("pe_start"), Size: r.number("pv_size"), Free: r.number("pv_free")}
		if min(s.Start, s.Size, s.Free) >= 0 && strings.HasPrefix(s.Device, "/dev/") {
			g.Stores = append(g.Stores, s)
		}
	}
	slices.SortStableFunc(segments, func(a, b row) int {
		return cmp.Or(cmp.Compare(a["lv_name"], b["lv_name"]), cmp.Compare(a.number("seg_start"), b.number("seg_start")))
	})
	for _, r := range segments {
		g.addSegment(r)
	}
	for i := range g.Volumes {
		g.Volumes[i].check()
	}
	return g, nil
}

// addSegment adds a segment to its volume, the last one so far or a new one.
func (g *Group) addSegment(r row) {
	role := strings.Split(r["lv_role"], ",")
	if slices.Contains(role, "private") {
		return
	}
	if n := len(g.Volumes); n == 0 || g.Volumes[n-1].Name != r["lv_name"] {
		g.Volumes = append(g.Volumes, Volume{Name: r["lv_name"], Size: r.number("lv_size")})
	}
	v := &g.Volumes[len(g.Volumes)-1]
	if refused := refusedType(r["segtype"], role); refused != "" {
		v.Refused = refused
		return
	}
	s := Segment{Length: r.number("seg_size"), Chunk: r.number("stripe_size")}
	for stripe := range strings.FieldsSeq(r["seg_pe_ranges"]) {
		at, ok := g.place(stripe)
		if !ok {
			v.Refused = Incomplete
			return
		}
		s.Stripes = append(s.Stripes, at)
	}
	if int64(len(s.Stripes)) != r.number("stripes") || s.Length <= 0 {
		v.Refused = Other
	}
	v.Segments = append(v.Segments, s)
}

// place returns where a range of extents begins: DEVICE:FIRST-LAST.
func (g *Group) place(extents string) (Stripe, bool) {
	device, numbers, _ := strings.Cut(extents, ":")
	first, _, _ := strings.Cut(numbers, "-")
	n, err := strconv.ParseInt(first, 10, 64)
	store, ok := g.Store(device)
	if err != nil || !ok || n < 0 || n > (1<<62-store.Start)/g.Extent {
		return Stripe{}, false
	}
	return Stripe{Device: device, Offset: store.Start + n*g.Extent}, true
}

// check refuses a volume whose segments do not make it up.
func (v *Volume) check() {
	size := int64(0)
	for _, s := range v.Segments {
		size += s.Length
		if len(s.Stripes) > 1 && (s.Chunk < 512 || s.Chunk%512 != 0) {
			v.Refused = cmp.Or(v.Refused, Other)
		}
	}
	if v.Refused == "" && size != v.Size {
		v.Refused = Other
	}
}

// refusedType returns the type of a volume that cannot be mapped segment by segment.
// Writing to one that has snapshots would change those.
func refusedType(segment string, role []string) string {
	switch {
	case segment == "linear" || segment == "striped":
		if slices.Contains(role, "thicksnapshot") || slices.Contains(role, "thickorigin") {
			return Snapshot
		}
		return ""
	case strings.HasPrefix(segment, "thin"):
		return Thin
	case strings.HasPrefix(segment, "raid"), segment == "mirror":
		return RAID
	case strings.HasPrefix(segment, "cache"), strings.HasPrefix(segment, "writecache"):
		return Cached
	case strings.HasPrefix(segment, "vdo"):
		return VDO
	case segment == "snapshot":
		return Snapshot
	}
	return Other
}
