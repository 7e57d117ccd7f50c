package harness

import (
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Definition is the OS definition as "make install" lays it out.
type Definition struct {
	Dir      string // of the OS definition
	ImageDir string // IMAGE_DIR
	Reports  string // REPORT_DIR
	defaults string // stands in for /etc/default
}

// Definition installs the OS definition below dir, with a configuration of its
// own that has further settings.
func (in *Installation) Definition(t testing.TB, dir string, settings ...string) *Definition {
	t.Helper()
	top, err := Top()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("scripts/install.sh")
	cmd.Dir, cmd.Env = top, append(os.Environ(), "DESTDIR="+dir)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("installing: %v\n%s", err, out)
	}
	d := &Definition{
		Dir: filepath.Join(dir, "usr/share/ganeti/os/snf-image"), ImageDir: filepath.Join(dir, "var/lib/snf-image"),
		Reports: filepath.Join(dir, "reports"), defaults: filepath.Join(dir, "etc/default"),
	}
	text := in.settings() + "IMAGE_DIR=" + d.ImageDir + "\nVARIANTS_DIR=" + filepath.Join(dir, "etc/ganeti/snf-image/variants") +
		"\nREPORT_DIR=" + d.Reports + "\n"
	File(t, d.defaults, "snf-image", text+strings.Join(settings, "\n")+"\n")
	return d
}

// Call runs a script of the definition as Ganeti does: with that environment
// alone, standard input at its end. The script sees d's /etc/default, in a mount
// namespace of its own.
func (d *Definition) Call(t testing.TB, script string, env map[string]string, args ...string) Outcome {
	t.Helper()
	return d.Start(t, script, env, args...).Wait()
}

// Start is Call for a test that looks at the script while it runs.
func (d *Definition) Start(t testing.TB, script string, env map[string]string, args ...string) *Process {
	t.Helper()
	return launch(t, "", pairs(env), append(d.argv(script), args...))
}

// Command is Call for a test that gives the script streams of its own. The
// script has the process id of the command.
func (d *Definition) Command(t testing.TB, script string, env map[string]string) *exec.Cmd {
	t.Helper()
	argv := d.argv(script)
	cmd := exec.CommandContext(t.Context(), argv[0], argv[1:]...)
	cmd.Env = pairs(env)
	return cmd
}

// Handover returns the argument vectors of the one process that is given a
// script's environment, the last of which is the script itself.
func (d *Definition) Handover(script string) [][]string {
	argv := d.argv(script)
	return [][]string{argv, argv[len(unshare):], argv[len(argv)-1:]}
}

var unshare = []string{"/usr/bin/unshare", "--mount", "--"}

// argv runs a script in its mount namespace. mount(8), a process of its own, gets
// an empty environment: what Ganeti passes is for nobody but the script.
func (d *Definition) argv(script string) []string {
	return append(slices.Clone(unshare),
		"/bin/bash", "-c", `(exec -c /bin/mount --bind "$1" /etc/default) && shift && exec "$@"`,
		"bash", d.defaults, filepath.Join(d.Dir, script))
}

func pairs(env map[string]string) []string {
	var out []string
	for _, name := range slices.Sorted(maps.Keys(env)) {
		out = append(out, name+"="+env[name])
	}
	return out
}
