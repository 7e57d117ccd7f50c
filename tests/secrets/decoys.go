package secrets

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Decoys are what Plant shows, by name: one among the arguments of a process, one
// in the environment of another, and one in a short-lived file in each of dirs.
func Decoys(dirs []string) map[string]string {
	decoys := map[string]string{decoy(Arguments): Unique("decoy"), decoy(Environment): Unique("decoy")}
	for _, dir := range dirs {
		decoys[decoy(dir)] = Unique("decoy")
	}
	return decoys
}

// Planted are what Plant makes a Search find, as Check wants it.
func Planted(dirs []string) []string {
	found := []string{Arguments + ": " + decoy(Arguments), Environment + ": " + decoy(Environment)}
	for _, dir := range dirs {
		found = append(found, Temporary+": "+decoy(dir))
	}
	return found
}

func decoy(where string) string { return "decoy of " + where }

// Plant shows decoys while a search runs, below the command wrapper if there is
// one. The processes stay until the test calls the function that is returned; the
// files are removed as soon as they are written.
func Plant(t testing.TB, decoys map[string]string, dirs []string, wrapper ...string) (end func()) {
	t.Helper()
	for _, dir := range dirs {
		// By standard input, so that the file is all that shows it.
		cmd := shell(wrapper, `cat >"$1" && rm "$1"`, filepath.Join(dir, Unique("planted")))
		cmd.Stdin = strings.NewReader(decoys[decoy(dir)])
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("planting a decoy in %s: %v\n%s", dir, err, out)
		}
	}
	// read is a part of the shell: it ends with its input.
	inArguments := shell(wrapper, "read line", decoys[decoy(Arguments)])
	inEnvironment := shell(wrapper, "read line")
	inEnvironment.Env = append(os.Environ(), "DECOY="+decoys[decoy(Environment)])
	stop := []func(){start(t, inArguments), start(t, inEnvironment)}
	return func() {
		for _, f := range stop {
			f()
		}
	}
}

func shell(wrapper []string, script string, args ...string) *exec.Cmd {
	argv := append(append([]string{}, wrapper...), "sh", "-c", script, "sh")
	argv = append(argv, args...)
	return exec.Command(argv[0], argv[1:]...)
}

// start starts a command that runs until the function that is returned ends its
// input.
func start(t testing.TB, cmd *exec.Cmd) (end func()) {
	t.Helper()
	input, err := cmd.StdinPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	end = func() {
		_ = input.Close()
		_ = cmd.Wait() // its status is that of a read that found nothing
	}
	t.Cleanup(end)
	return end
}
