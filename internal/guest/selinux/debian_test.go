package selinux

import (
	"bytes"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp/syntax"
	"slices"
	"strings"
	"testing"

	"snf-image/internal/guest/rootfs"
	"snf-image/tests/require"
)

// TestDebianInVM holds the labels of all paths of a Debian, and of some made from every rule of
// its policy, against matchpathcon(8) of that Debian. It boots nothing, but needs the image.
func TestDebianInVM(t *testing.T) {
	t.Parallel()
	dir := mountDebian(t)
	root, err := rootfs.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = root.Close() })
	state, err := Look(root)
	if err != nil || state != (State{Mode: "enforcing", Type: "default"}) {
		t.Fatalf("Look = %+v, %v", state, err)
	}
	c, err := state.Load(root)
	if err != nil || len(c.rules) < 5000 {
		t.Fatalf("Load: %v", err)
	}
	paths := append(pathsOf(t, dir), c.samples(t)...)
	slices.Sort(paths)
	paths = slices.Compact(paths)
	for option, kind := range map[string]fs.FileMode{"file": 0, "dir": fs.ModeDir, "lnk_file": fs.ModeSymlink, "sock_file": fs.ModeSocket} {
		compareLabels(t, c, kind, paths, matchpathcon(t, dir, option, paths))
	}
}

// mountDebian mounts the root of a Debian with SELinux for reading.
func mountDebian(t *testing.T) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "../../../tests/images/enforcing.sh", "--suite", "trixie", "1G")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("building the image: %v", err)
	}
	image, dir := strings.TrimSpace(string(out)), t.TempDir()
	start := strings.Fields(require.Run(t, "", "sh", "-c", `PATH=$PATH:/sbin:/usr/sbin; sfdisk -l -q -o Start "$0" | tail -n 1`, image))[0]
	require.Run(t, "", "sh", "-c", `mount -o loop,ro,noload,offset=$(($2 * 512)) "$0" "$1"`, image, dir, start)
	t.Cleanup(func() { _ = exec.Command("umount", dir).Run() })
	return dir
}

// pathsOf returns the paths of a tree that fit in a line.
func pathsOf(t *testing.T, dir string) []string {
	t.Helper()
	var paths []string
	err := filepath.WalkDir(dir, func(p string, _ fs.DirEntry, err error) error {
		if p = strings.TrimPrefix(p, dir); p != "" {
			paths = append(paths, p)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return paths
}

// samples makes paths that the rules match, and as many in their neighbourhood.
func (c *Contexts) samples(t *testing.T) []string {
	t.Helper()
	random := rand.New(rand.NewPCG(1, 2))
	var paths []string
	for i := range c.rules {
		re, err := syntax.Parse(c.rules[i].pattern, syntax.Perl)
		if err != nil {
			t.Errorf("%v", err)
			continue
		}
		for range 2 {
			var b strings.Builder
			sample(&b, random, re)
			p := path.Clean("/" + b.String())
			paths = append(paths, p, p+"/more", p[:len(p)-1]+"x")
		}
		for _, s := range append(c.subs, c.dist...) {
			if rest, ok := strings.CutPrefix(paths[len(paths)-1], s.to+"/"); ok {
				paths = append(paths, path.Join(s.from, rest))
			}
		}
	}
	return slices.DeleteFunc(paths, func(p string) bool {
		return p == "" || strings.ContainsFunc(p, func(r rune) bool { return r < ' ' || r > '~' })
	})
}

// sample writes a text that the expression matches.
func sample(b *strings.Builder, random *rand.Rand, re *syntax.Regexp) {
	times := 1
	switch re.Op {
	case syntax.OpLiteral:
		b.WriteString(string(re.Rune))
	case syntax.OpCharClass:
		pick := []rune("aA0.-_x1")
		pick = slices.DeleteFunc(pick, func(r rune) bool { return !inClass(re.Rune, r) })
		b.WriteRune(append(pick, re.Rune[0])[random.IntN(len(pick)+1)])
	case syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		b.WriteByte("ab/.x"[random.IntN(5)])
	case syntax.OpAlternate:
		sample(b, random, re.Sub[random.IntN(len(re.Sub))])
		return
	case syntax.OpStar:
		times = random.IntN(4)
	case syntax.OpPlus:
		times = 1 + random.IntN(3)
	case syntax.OpQuest:
		times = random.IntN(2)
	case syntax.OpRepeat:
		times = re.Min
	}
	for range times {
		for _, sub := range re.Sub {
			sample(b, random, sub)
		}
	}
}

func inClass(ranges []rune, r rune) bool {
	for i := 0; i+1 < len(ranges); i += 2 {
		if ranges[i] <= r && r <= ranges[i+1] {
			return true
		}
	}
	return false
}

// matchpathcon returns what the program of the image prints about paths of a type.
func matchpathcon(t *testing.T, dir, kind string, paths []string) []string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "xargs", "-d", `\n`, "-n", "4000", "chroot", dir, "matchpathcon", "-m", kind)
	cmd.Stdin = strings.NewReader(strings.Join(paths, "\n"))
	cmd.Env = append(os.Environ(), "PATH=/usr/sbin:/usr/bin:/sbin:/bin")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("matchpathcon: %v: %s", err, stderr.Bytes())
	}
	return strings.Split(strings.TrimSuffix(string(out), "\n"), "\n")
}

func compareLabels(t *testing.T, c *Contexts, kind fs.FileMode, paths, printed []string) {
	t.Helper()
	if len(printed) != len(paths) || len(paths) < 20_000 {
		t.Fatalf("%d labels for %d paths, want one for each of 20000 and more", len(printed), len(paths))
	}
	wrong := 0
	for i, p := range paths {
		want := strings.TrimSuffix(strings.TrimPrefix(printed[i], p+"\t"), none)
		got, err := c.Lookup(p, kind)
		if got != want || err != nil {
			if wrong++; wrong < 5 {
				t.Errorf("label of %q (%v) = %q, %v, want %q", p, kind, got, err, want)
			}
		}
	}
	if wrong > 0 {
		t.Errorf("%d of %d labels are wrong (%v)", wrong, len(paths), kind)
	}
}
