package platform

import (
	"math/rand/v2"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"snf-image/tests/require"
)

// TestOrder sorts entries as systemd's own test has them (test-bootspec.c), and others.
func TestOrder(t *testing.T) {
	t.Parallel()
	const order = `
		d.conf sort-key=kkkk machine-id=8 version=100
		f.conf sort-key=xxxx machine-id=2 version=1
		e+1-2.conf sort-key=xxxx machine-id=3 version=10.1
		cx.conf sort-key=xxxx machine-id=3 version=10
		c.conf sort-key=xxxx machine-id=3 version=5
		b.conf machine-id=b version=3
		a-10.conf machine-id=d version=5
		a-5.conf machine-id=d version=10
		a-4+3.conf
		g+0-3.conf sort-key=aaaa
		z+0.conf`
	lines := strings.Split(strings.TrimSpace(order), "\n")
	var all []entry
	for _, line := range lines {
		words := strings.Fields(line)
		all = append(all, parseEntry(text{strings.NewReplacer("=", "\t").Replace(strings.Join(words[1:], "\n")), "/boot/loader/entries/" + words[0]}))
	}
	slices.Reverse(all)
	slices.SortStableFunc(all, entry.compare)
	for i, e := range all {
		if name := strings.Fields(lines[i])[0]; !strings.HasSuffix(e.options.file, "/"+name) {
			t.Errorf("entry %d is %s, want %s", i, e.options.file, name)
		}
	}
	if id := all[2].id; id != "e.conf" {
		t.Errorf("id %q, want e.conf", id)
	}
}

// TestCompareVersions has the versions of kernels and of the specification's examples, each older
// than the next one, and random ones: systemd's own program orders them alike.
func TestCompareVersions(t *testing.T) {
	t.Parallel()
	versions := []string{
		"~~", "~1", "-", "-1", "A", "a", "a1", "ab", "abc", "1.0~rc1", "1.0", "1.0-1", "1.0^1", "1.0.1", "1a", "2",
		"5.14.0-70.13.1.el9", "5.14.0-362.el9", "6.1.0-9-amd64", "6.1.0-10-amd64",
	}
	for n, v := range versions[1:] {
		if compareVersions(versions[n], v) != -1 || compareVersions(v, versions[n]) != 1 {
			t.Errorf("%s is not older than %s", versions[n], v)
		}
	}
	require.Tool(t, "systemd-analyze")
	random := rand.New(rand.NewPCG(1, 2))
	draw := func() string {
		b := []byte("x")
		for range random.IntN(6) {
			b = append(b, "~-^._+0019aAzZ"[random.IntN(14)])
		}
		return string(b)
	}
	for range 200 {
		a, b := draw(), draw()
		cmd := exec.Command("systemd-analyze", "compare-versions", a, b)
		_ = cmd.Run()
		want := map[int]int{0: 0, 11: 1, 12: -1}[cmd.ProcessState.ExitCode()]
		if got := compareVersions(a, b); got != want {
			t.Errorf("%s against %s: %d, by systemd %d", a, b, got, want)
		}
	}
}
