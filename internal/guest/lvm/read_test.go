package lvm

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// report is what "lvm fullreport" of 2.03.31 prints, shortened, with other segments.
func report(segments string) []byte {
	return []byte(`{ "report": [ { "vg": [
		{"vg_name":"sys", "vg_uuid":"u", "vg_extent_size":"4194304", "vg_missing_pv_count":"0"} ] , "pv": [
		{"pv_name":"/dev/disk-a3", "pe_start":"1048576", "pv_size":"205520896", "pv_free":"142606336"},
		{"pv_name":"/dev/disk-a4", "pe_start":"2097152", "pv_size":"205520896", "pv_free":"0"} ] , "lv": [ ] , "pvseg": [ ] , "seg": [` +
		segments + `] } ] }`)
}

// TestParse takes what the tool prints apart: what can be mapped, and what is refused by
// name.
func TestParse(t *testing.T) {
	t.Parallel()
	const mib = 1 << 20
	for name, tt := range map[string]struct {
		segments string
		want     []Volume
	}{
		"nothing": {"", nil},
		"linear in two pieces": {
			`{"lv_name":"root", "lv_role":"public", "lv_size":"12582912", "segtype":"linear", "seg_start":"8388608", "seg_size":"4194304", "stripes":"1", "stripe_size":"0", "seg_pe_ranges":"/dev/disk-a4:7-7"},
			 {"lv_name":"root", "lv_role":"public", "lv_size":"12582912", "segtype":"linear", "seg_start":"0", "seg_size":"8388608", "stripes":"1", "stripe_size":"0", "seg_pe_ranges":"/dev/disk-a3:2-3"}`,
			[]Volume{{Name: "root", Size: 12 * mib, Segments: []Segment{
				{Length: 8 * mib, Stripes: []Stripe{{"/dev/disk-a3", 9 * mib}}},
				{Length: 4 * mib, Stripes: []Stripe{{"/dev/disk-a4", 30 * mib}}},
			}}},
		},
		"striped": {
			`{"lv_name":"root", "lv_role":"public", "lv_size":"8388608", "segtype":"striped", "seg_start":"0", "seg_size":"8388608", "stripes":"2", "stripe_size":"65536", "seg_pe_ranges":"/dev/disk-a3:0-0 /dev/disk-a4:1-1"}`,
			[]Volume{{Name: "root", Size: 8 * mib, Segments: []Segment{
				{Length: 8 * mib, Chunk: 64 << 10, Stripes: []Stripe{{"/dev/disk-a3", mib}, {"/dev/disk-a4", 6 * mib}}},
			}}},
		},
		"private ones": {`{"lv_name":"pool", "lv_role":"private,thin,pool", "lv_size":"8388608", "segtype":"thin-pool", "seg_start":"0", "seg_size":"8388608", "stripes":"1", "stripe_size":"0", "seg_pe_ranges":"pool_tdata:0-1"}`, nil},
		"thin":         {`{"lv_name":"root", "lv_role":"public", "lv_size":"67108864", "segtype":"thin", "seg_start":"0", "seg_size":"67108864", "stripes":"0", "stripe_size":"0", "seg_pe_ranges":""}`, refused(64*mib, Thin)},
		"raid":         {`{"lv_name":"root", "lv_role":"public", "lv_size":"16777216", "segtype":"raid1", "seg_start":"0", "seg_size":"16777216", "stripes":"2", "stripe_size":"0", "seg_pe_ranges":"root_rimage_0:0-3 root_rimage_1:0-3"}`, refused(16*mib, RAID)},
		"cache":        {`{"lv_name":"root", "lv_role":"public", "lv_size":"16777216", "segtype":"cache", "seg_start":"0", "seg_size":"16777216", "stripes":"1", "stripe_size":"0", "seg_pe_ranges":"root_corig:0-3"}`, refused(16*mib, Cached)},
		"vdo":          {`{"lv_name":"root", "lv_role":"public", "lv_size":"16777216", "segtype":"vdo", "seg_start":"0", "seg_size":"16777216", "stripes":"1", "stripe_size":"0", "seg_pe_ranges":"vpool0:0-3"}`, refused(16*mib, VDO)},
		"origin":       {`{"lv_name":"root", "lv_role":"public,origin,thickorigin", "lv_size":"16777216", "segtype":"linear", "seg_start":"0", "seg_size":"16777216", "stripes":"1", "stripe_size":"0", "seg_pe_ranges":"/dev/disk-a3:0-3"}`, refused(16*mib, Snapshot)},
		"missing":      {`{"lv_name":"root", "lv_role":"public", "lv_size":"4194304", "segtype":"linear", "seg_start":"0", "seg_size":"4194304", "stripes":"1", "stripe_size":"0", "seg_pe_ranges":"[unknown]:0-0"}`, refused(4*mib, Incomplete)},
		"outside":      {`{"lv_name":"root", "lv_role":"public", "lv_size":"4194304", "segtype":"linear", "seg_start":"0", "seg_size":"4194304", "stripes":"1", "stripe_size":"0", "seg_pe_ranges":"/dev/disk-a3:9223372036854775807-1"}`, refused(4*mib, Incomplete)},
		"unknown":      {`{"lv_name":"root", "lv_role":"public", "lv_size":"4194304", "segtype":"error", "seg_start":"0", "seg_size":"4194304", "stripes":"1", "stripe_size":"0", "seg_pe_ranges":""}`, refused(4*mib, Other)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			groups, err := parse(report(tt.segments))
			if err != nil || len(groups) != 1 {
				t.Fatalf("parse = %v, %v, want a group", groups, err)
			}
			if diff := cmp.Diff(tt.want, groups[0].Volumes); diff != "" {
				t.Errorf("volumes (-want +got):\n%s", diff)
			}
			if s, ok := groups[0].Store("/dev/disk-a3"); !ok || s != (Store{"/dev/disk-a3", mib, 205520896, 142606336}) {
				t.Errorf("Store = %v, %v", s, ok)
			}
		})
	}
}

func refused(size int64, kind string) []Volume {
	return []Volume{{Name: "root", Size: size, Refused: kind}}
}

// TestParseRefuses has what no group can be made of.
func TestParseRefuses(t *testing.T) {
	t.Parallel()
	twice := strings.Repeat(`{"vg":[{"vg_name":"sys","vg_extent_size":"4194304"}],"pv":[],"seg":[]},`, 2)
	for name, text := range map[string]string{
		"no JSON":    "lvm",
		"no extents": `{"report":[{"vg":[{"vg_name":"sys","vg_extent_size":"0"}]}]}`,
		"one name":   `{"report":[` + strings.TrimSuffix(twice, ",") + `]}`,
	} {
		if groups, err := parse([]byte(text)); err == nil {
			t.Errorf("%s: parse = %v, want an error", name, groups)
		}
	}
	if groups, err := parse([]byte(`{"report":[{"vg":[],"pv":[{"pv_name":"/dev/disk-a3"}]}]}`)); err != nil || len(groups) != 0 {
		t.Errorf("of no group: parse = %v, %v, want nothing", groups, err)
	}
}

// TestIsStore looks for the label in each of the sectors where it may be.
func TestIsStore(t *testing.T) {
	t.Parallel()
	for at, want := range map[int]bool{0: true, 512: true, 1536: true, 2048: false, 100: false} {
		b := make([]byte, 8192)
		copy(b[at:], "LABELONE")
		copy(b[at+24:], "LVM2 001")
		name := filepath.Join(t.TempDir(), "store")
		if err := os.WriteFile(name, b, 0o600); err != nil {
			t.Fatal(err)
		}
		if got := IsStore(name); got != want {
			t.Errorf("with the label at %d: IsStore = %v, want %v", at, got, want)
		}
	}
	if IsStore(filepath.Join(t.TempDir(), "none")) {
		t.Error("IsStore is true for a file that is not there")
	}
}
