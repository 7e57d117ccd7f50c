package platform

import (
	"math/rand/v2"
	"os/exec"
	"testing"

	"snf-image/tests/require"
)

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
	for range 50 {
		a, b := draw(), draw()
		cmd := exec.Command("systemd-analyze", "compare-versions", a, b)
		_ = cmd.Run()
		want := map[int]int{0: 0, 11: 1, 12: -1}[cmd.ProcessState.ExitCode()]
		if got := compareVersions(a, b); got != want {
			t.Errorf("%s against %s: %d, by systemd %d", a, b, got, want)
		}
	}
}
