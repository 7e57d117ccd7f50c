package vm

import (
	"strings"
	"testing"

	"snf-image/tests/images"
)

// TestRogueAgent deploys with a helper image whose agent misbehaves after a
// proper hello. None of it is success, the host survives, the disk does not
// boot and the log stays readable.
func TestRogueAgent(t *testing.T) {
	cases := map[string]struct {
		settings string
		code     int
		line     string
	}{
		"early":      {"", 7, "result"},
		"twice":      {"", 7, "after its result"},
		"nonce":      {"", 7, "nonce"},
		"incomplete": {"", 7, "accounts for"},
		"silent":     {"", 7, "before it sent a result"},
		"panic":      {"", 7, "before it sent a result"},
		"garbage":    {"", 7, "limit|frame|longer"},
		"huge":       {"", 7, "limit|longer"},
		"flood":      {"", 7, "limit|more messages"},
		"hang":       {`HELPER_SOFT_TIMEOUT="5s"`, 9, "HELPER_SOFT_TIMEOUT"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			j := newJob(t, images.Primary("ext4", images.Debian()))
			in, err := rogue()
			if err != nil {
				t.Fatal(err)
			}
			o := in.With(t, c.settings).Run(t, "deploy", "--image", j.image, "--disk", j.disk,
				"--size", "128M", "--name", name+".example.org").Fails(t, c.code, c.line)
			if len(o.Stderr) > 256<<10 || strings.ContainsAny(o.Stderr, "\x1b\x07") {
				t.Errorf("the log has %d bytes, or raw escapes in it", len(o.Stderr))
			}
			j.undone()
		})
	}
}

// TestHonestRogue is the positive control: the same agent, claiming success at
// the right moment, is believed. What fails above fails for what it did.
func TestHonestRogue(t *testing.T) {
	j := newJob(t, images.Primary("ext4", images.Debian()))
	in, err := rogue()
	if err != nil {
		t.Fatal(err)
	}
	in.Run(t, "deploy", "--image", j.image, "--disk", j.disk, "--size", "128M", "--name", "honest.example.org").OK(t)
	j.done()
}
