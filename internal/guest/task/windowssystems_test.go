package task

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"snf-image/internal/guest/inspect"
	"snf-image/internal/report"
	"snf-image/internal/spec"
	"snf-image/tests/golden"
	"snf-image/tests/guest"
	"snf-image/tests/hive"
	"snf-image/tests/tree"
)

// TestWindowsSystems deploys each version of Windows with everything that can be asked for,
// on a tree: what is found, what the tasks say, which files differ, and all of the registry
// that differs, are in testdata/windows.
func TestWindowsSystems(t *testing.T) {
	t.Parallel()
	for name, w := range hive.Systems() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			golden.File(t, "testdata/windows/"+name+".txt", deployed(t, w))
		})
	}
}

// deployed describes what a deployment does to a Windows.
func deployed(t *testing.T, w hive.Windows) string {
	t.Helper()
	hives := w.Hives(t)
	r, g, found := runOnHives(t, hives)
	check(t, Check(t.Context(), r))
	before := g.Snapshot(t)
	_, results, err := runPlan(t, r.Plan, r)
	check(t, err)

	var out strings.Builder
	fmt.Fprintf(&out, "found: %s, %s, %s, %s, %q\n", found.Family, found.Pretty, found.Version, found.NT.Architecture, found.Names)
	for _, result := range results {
		fmt.Fprintf(&out, "%s: %s\n", result.Name, strings.TrimSpace(string(result.Outcome)+" "+result.Reason+strings.Join(result.Warnings, "; ")))
	}
	after := g.Snapshot(t)
	for _, p := range tree.Differing(before, after) {
		out.WriteString(p + "\n")
	}
	for _, name := range slices.Sorted(maps.Keys(hives)) {
		old, now := []byte(hives[name]), []byte(g.Content(t, "Windows/System32/config/"+name))
		for _, line := range hive.Difference(t, old, now) {
			fmt.Fprintf(&out, "%s: %s\n", name, line)
		}
		if old, now := hive.Exported(t, old, now); len(old) > 0 {
			fmt.Fprintf(&out, "%s, by libregf: - %q + %q\n", name, old, now)
		}
	}
	for _, p := range []string{"unattend.xml", "sysprep/sysprep.inf", "sysprep/i386/$OEM$/CmdLines.txt", "Windows/SnfScripts/ConfigureNetwork.cmd", "Windows/SnfScripts/RemoteDesktop.cmd"} {
		if _, text, ok := strings.Cut(after["/"+p], " "); ok {
			fmt.Fprintf(&out, "== %s\n%s", p, strings.ReplaceAll(text, "\r", ""))
		}
	}
	return out.String()
}

// runOnHives is a run with everything that can be asked for on a Windows with that registry, and
// what was found of it.
func runOnHives(t *testing.T, hives map[string]string) (*Run, guest.Guest, inspect.System) {
	t.Helper()
	files := map[string]string{
		"Windows/Setup/Scripts/SetupComplete.cmd": "echo own\r\n", "Windows/Panther/unattend.xml": "<x/>",
		"Windows/System32/drivers/etc/hosts": "old", "sysprep/sysprep.inf": "[GuiUnattended]\r\nTimeZone=110\r\n",
	}
	for name, data := range hives {
		files["Windows/System32/config/"+name] = data
	}
	g := guest.New(t, files)
	found := inspect.Look(g.Root, 0)
	password, key := spec.Secret("Geheim&1"), spec.Secret("aaaaa-bbbbb-ccccc-ddddd-eeeee")
	return &Run{
		Plan: &spec.Plan{
			Mode: spec.ModeDeploy, Tasks: windowsTasks, InstanceName: "web1.example.org", Users: []string{"root"}, AssumesUsers: true,
			TimeZone: "W. Europe Standard Time", NICs: []spec.NIC{{MAC: "52:54:00:00:00:01", IP: "192.0.2.10", Subnet: "192.0.2.0/24", Gateway: "192.0.2.1"}},
		},
		Credentials: &spec.Credentials{
			Password: &password, ProductKey: &key, Files: []spec.File{{Path: `C:\Windows\System32\drivers\etc\hosts`, Contents: []byte("new")}},
		},
		Inspection: &report.Inspection{
			OSFamily: found.Family, Version: found.Version, Windows: &report.Windows{Architecture: found.NT.Architecture, State: found.NT.State},
		},
		Root: g.Root,
	}, g, found
}

// TestWindowsDamagedHives: whatever a hive holds, there is an error or a success; what is
// refused is so before the first write.
func TestWindowsDamagedHives(t *testing.T) {
	t.Parallel()
	good := hive.System(t, "2016-amd64").Hives(t)
	names := slices.Sorted(maps.Keys(good))
	refused, done := 0, 0
	for seed := range uint64(40) {
		r := rand.New(rand.NewPCG(16, seed))
		hives := maps.Clone(good)
		for range 1 + r.IntN(40) {
			name := names[r.IntN(len(names))]
			data := []byte(hives[name])
			data[4096+r.IntN(len(data)-4096)] = byte([]int{0, 0xff, 0x7f, 0x80, r.IntN(256)}[r.IntN(5)])
			hives[name] = string(data)
		}
		run, g, _ := runOnHives(t, hives)
		if err := Check(t.Context(), run); err != nil {
			refused++
			if changed := g.Root.Changed(); len(changed) > 0 {
				t.Errorf("seed %d: refused with %v, but %q was changed", seed, err, changed)
			}
			continue
		}
		if _, _, err := runPlan(t, run.Plan, run); err != nil {
			t.Errorf("seed %d: found to be damaged after the first write: %v", seed, err)
			continue
		}
		done++
	}
	t.Logf("%d refused, %d done", refused, done)
	if refused == 0 || done == 0 {
		t.Error("too much or too little is damaged")
	}
}
