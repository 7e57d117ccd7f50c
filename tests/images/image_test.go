package images

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestLayouts shows with independent tools that the images are what they say:
// a test on a broken image would prove nothing.
func TestLayouts(t *testing.T) {
	t.Parallel()
	need(t, "sfdisk", "sgdisk", "mke2fs", "mkfs.vfat", "debugfs", "e2fsck")
	cases := map[string]struct {
		image Image
		root  int
	}{
		"primary ext2": {Primary("ext2", Debian()), 1},
		"primary ext3": {Primary("ext3", Debian()), 1},
		"primary ext4": {Primary("ext4", Debian()), 1},
		"logical":      {Logical(Debian()), 6},
		"backwards":    {Backwards(Debian()), 1},
		"data last":    {DataLast(Debian()), 1},
		"gpt":          {GPT("ext4", Debian()), 3},
		"gpt middle":   {GPTMiddle(Debian()), 2},
		"gpt cloud":    {GPTCloud(Debian()), 1},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := c.image.Write(t, filepath.Join(t.TempDir(), "image.raw"))
			output(t, "sfdisk", "--verify", path)
			if c.image.Label == "gpt" {
				if out := output(t, "sgdisk", "-v", path); !strings.Contains(out, "No problems found") {
					t.Errorf("sgdisk -v: %s", out)
				}
			}
			root := extract(t, path, c.image.Part(t, c.root))
			output(t, "e2fsck", "-fn", root)
			for file, want := range map[string]string{"/etc/machine-id": MachineID, "/etc/hostname": Hostname} {
				if got := output(t, "debugfs", "-R", "cat "+file, root); !strings.Contains(got, want) {
					t.Errorf("%s = %q, want %q in it", file, got, want)
				}
			}
		})
	}
}

func TestSpecialFiles(t *testing.T) {
	t.Parallel()
	need(t, "sfdisk", "mke2fs", "debugfs")
	image := Primary("ext4", Debian())
	path := image.Write(t, filepath.Join(t.TempDir(), "image.raw"))
	root := extract(t, path, image.Part(t, 1))
	for file, want := range map[string]string{
		"/srv/pipe":       "Type: FIFO",
		"/srv/null":       "Type: character special",
		"/srv/set-id":     "Mode:  06755",
		"/srv/other name": "Links: 2",
		"/srv/attributes": `user.origin (5) = "image"`,
		"/usr/bin/ping":   "security.capability (20)",
		"/etc/shadow":     "Group:    42",
	} {
		if got := output(t, "debugfs", "-R", `stat "`+file+`"`, root); !strings.Contains(got, want) {
			t.Errorf("stat %s lacks %q:\n%s", file, want, got)
		}
	}
}

func TestTreeWith(t *testing.T) {
	t.Parallel()
	tree := Tree{{Path: "a/"}, {Path: "b", Data: "old"}}
	got := tree.With(Entry{Path: "/b", Data: "new"}, Entry{Path: "c"}).Without("a")
	if len(got) != 2 || got[0].Data != "new" || got[1].Path != "c" {
		t.Errorf("With and Without = %+v, want the new b and c", got)
	}
	if len(tree) != 2 || tree[1].Data != "old" {
		t.Errorf("With changed its receiver: %+v", tree)
	}
}

// need skips the test when a tool or root is missing, and fails it in strict
// mode.
func need(t *testing.T, tools ...string) {
	t.Helper()
	var missing []string
	for _, tool := range tools {
		if _, err := exec.LookPath(tool); err != nil {
			missing = append(missing, tool)
		}
	}
	if os.Getuid() != 0 {
		missing = append(missing, "root")
	}
	switch {
	case len(missing) == 0:
	case os.Getenv("SNF_STRICT") == "1":
		t.Fatalf("needs %s", strings.Join(missing, ", "))
	default:
		t.Skipf("needs %s", strings.Join(missing, ", "))
	}
}

func output(t *testing.T, args ...string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), args[0], args[1:]...).CombinedOutput()
	if err != nil {
		t.Fatalf("%q: %v\n%s", args, err, out)
	}
	return string(out)
}

// extract copies one partition to a file of its own.
func extract(t *testing.T, image string, p Part) string {
	t.Helper()
	b, err := os.ReadFile(image)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "partition")
	if err := os.WriteFile(path, b[p.Start*MiB:(p.Start+p.MiB)*MiB], 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
