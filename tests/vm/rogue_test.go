package vm

import (
	"regexp"
	"strings"
	"testing"
	"time"

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
		"panic":      {"", 7, "panicked: Attempted to kill init"},
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

// TestKernelCrash lets the kernel of the helper panic and oops, the latter in a process
// that is not the agent, before the agent says hello and while it has the disk. That
// ends the run at once and is named, the console is in the log, and there is no second
// attempt. A panic with the disk is among the faults.
func TestKernelCrash(t *testing.T) {
	cases := map[string]struct {
		name, size string
		line, log  string
	}{
		"panic before hello": {"any", "129M", "on tcg: the kernel of the helper panicked: sysrq triggered crash", "Kernel panic - not syncing: sysrq triggered crash"},
		"oops before hello":  {"any", "130M", `on tcg: the kernel of the helper panicked: Fatal exception.* \(Oops: invalid opcode`, "RIP: .*init_module|RIP: .*nls_ascii"},
		"oops with the disk": {
			"oops", "128M", `running the helper.*: the kernel of the helper panicked: Fatal exception.* \(Oops: invalid opcode`, "RIP: .*init_module|RIP: .*nls_ascii",
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			j := newJob(t, images.Primary("ext4", images.Debian()))
			in, err := rogue()
			if err != nil {
				t.Fatal(err)
			}
			p := in.Start(t, "--debug", "deploy", "--image", j.image, "--disk", j.disk, "--size", c.size, "--name", c.name+".example.org")
			p.Until(2*time.Minute, "the panic", func() bool { return strings.Contains(p.Stderr(), "] Kernel panic - not syncing: ") })
			start := time.Now()
			o := p.Wait().Fails(t, 7, c.line)
			if took := time.Since(start); took > 5*time.Second {
				t.Errorf("ended %v after the panic\n%s", took, o)
			}
			if !regexp.MustCompile(`snf-image: info: helper console: .*(?:` + c.log + ")").MatchString(o.Stderr) {
				t.Errorf("the console in the log has no %q\n%s", c.log, o)
			}
			if strings.Contains(o.Stderr, "starting the helper again with tcg: tcg") {
				t.Errorf("a kernel that panicked on TCG was started again\n%s", o)
			}
			j.undone()
		})
	}
}
