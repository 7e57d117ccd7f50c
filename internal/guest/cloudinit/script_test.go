package cloudinit

import (
	"bytes"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strings"
	"testing"

	"snf-image/internal/spec"
	"snf-image/tests/tree"
)

// TestStaged runs the script that puts files in place, with names that would break one without
// quotes. Whatever cannot be placed, no copy and no script is left.
func TestStaged(t *testing.T) {
	t.Parallel()
	me, err := user.Current()
	check(t, err)
	group, err := user.LookupGroupId(me.Gid)
	check(t, err)
	root := guest(t, tree.New(t, nil), nil).Root
	for _, shell := range []string{"sh", "bash --posix"} {
		dir := t.TempDir()
		check(t, os.MkdirAll(filepath.Join(dir, "there/is a directory"), 0o755))
		check(t, os.WriteFile(filepath.Join(dir, "old"), []byte("of the image"), 0o600))
		check(t, os.Symlink("old", filepath.Join(dir, "link")))
		at := func(p string) string { return dir + "/" + p }
		files := []spec.File{
			{Path: at("a $(touch owned) `b` 'c' \"d\";\n-e"), Contents: []byte("odd\n"), Owner: me.Username, Group: group.Name, Mode: 0o4711},
			{Path: at("new/-x/f"), Contents: []byte("parents"), Owner: me.Username, Group: group.Name, Mode: 0o600},
			{Path: at("link"), Contents: []byte("twice"), Owner: me.Username, Group: group.Name, Mode: 0o640},
			{Path: at("link"), Contents: []byte("instead of the link"), Owner: me.Username, Group: group.Name, Mode: 0o640},
			{Path: at("there/is a directory"), Contents: []byte("x"), Owner: me.Username, Group: group.Name},
			{Path: at("nobody's"), Contents: []byte("x"), Owner: "no such user", Mode: 0o4755},
			{Path: at("empty"), Owner: me.Username, Group: group.Name, Mode: 0o444},
		}
		script, out := place(t, dir, shell, Staged(root, files, false))
		for name, want := range map[string]string{
			files[0].Path: "odd\n", at("new/-x/f"): "parents", at("link"): "instead of the link", at("old"): "of the image", at("empty"): "",
		} {
			if data, err := os.ReadFile(name); err != nil || string(data) != want {
				t.Errorf("%s: %q: %q, %v, want %q", shell, name, data, err, want)
			}
		}
		for name, want := range map[string]os.FileMode{files[0].Path: 0o711 | os.ModeSetuid, at("new"): os.ModeDir | 0o750, at("link"): 0o640, at("empty"): 0o444} {
			if st, err := os.Lstat(name); err != nil || st.Mode() != want {
				t.Errorf("%s: %s: %v, want %v", shell, name, st.Mode(), want)
			}
		}
		for _, gone := range []string{dir + stageDir, script, "owned", at("owned"), at("nobody's")} {
			if _, err := os.Lstat(gone); err == nil {
				t.Errorf("%s: %s is there", shell, gone)
			}
		}
		if !strings.Contains(out, "there/is a directory: is a directory") || !strings.Contains(out, "nobody's: cannot be put in place") {
			t.Errorf("%s: the script says %q", shell, out)
		}
		script, out = place(t, dir, shell, Staged(root, files[:3], false))
		for _, gone := range []string{dir + stageDir, script} {
			if _, err := os.Lstat(gone); err == nil || out != "" {
				t.Errorf("%s: %s is there after a success, which says %q", shell, gone, out)
			}
		}
	}
}

// TestStagedInterrupted ends the script by a signal before a file is put in its place, and amid
// that: no copy and no script is left.
func TestStagedInterrupted(t *testing.T) {
	t.Parallel()
	root := guest(t, tree.New(t, nil), nil).Root
	for _, at := range []string{"\nput ", "\n\tif cat "} {
		for _, shell := range []string{"sh", "bash --posix"} {
			dir := t.TempDir()
			files := Staged(root, []spec.File{{Path: dir + "/f", Contents: []byte("secret")}}, false)
			last := &files[len(files)-1]
			last.Contents = bytes.Replace(last.Contents, []byte(at), []byte("\nkill -TERM $$"+at), 1)
			script, _ := place(t, dir, shell, files)
			left, err := filepath.Glob(dir + "/.snf-image.*")
			check(t, err)
			for _, gone := range append(left, dir+stageDir, script, dir+"/f") {
				if _, err := os.Lstat(gone); err == nil {
					t.Errorf("%s, ended at %q: %s is there", shell, at, gone)
				}
			}
		}
	}
}

// TestSweep empties what is secret, also behind a file that cannot be written, as that of a
// program that runs.
func TestSweep(t *testing.T) {
	t.Parallel()
	for _, shell := range []string{"sh", "bash --posix"} {
		dir := t.TempDir()
		busy, secret := dir+"/busy", dir+"/secret"
		program, err := os.ReadFile("/bin/sleep")
		check(t, err)
		writeAll(t, dir, []spec.File{{Path: "/secret", Contents: []byte("x")}, {Path: "/busy", Contents: program}})
		check(t, os.Chmod(busy, 0o700))
		running := exec.Command(busy, "100")
		check(t, running.Start())
		script, out := place(t, dir, shell, []spec.File{{Path: "/script", Contents: []byte(sweepScript([]string{dir + "/none", busy, secret}, false))}})
		check(t, running.Process.Kill())
		_ = running.Wait()
		if data, err := os.ReadFile(secret); err != nil || len(data) > 0 {
			t.Errorf("%s: the file behind holds %q, %v", shell, data, err)
		}
		if _, err := os.Lstat(script); err == nil || !strings.Contains(out, "busy") {
			t.Errorf("%s: the script is there, or does not tell: %q", shell, out)
		}
	}
}

// place writes the files below dir and runs the last of them, which it returns.
func place(t *testing.T, dir, shell string, files []spec.File) (script, out string) {
	t.Helper()
	for _, f := range files {
		p := dir + f.Path
		check(t, os.MkdirAll(filepath.Dir(p), 0o755))
		text := bytes.ReplaceAll(f.Contents, []byte(stageDir), []byte(dir+stageDir))
		check(t, os.WriteFile(p, text, os.FileMode(f.Mode)))
		script = p
	}
	words := append(strings.Fields(shell), script)
	cmd := exec.Command(words[0], words[1:]...)
	cmd.Dir = dir
	said, err := cmd.CombinedOutput()
	if failed := err != nil; failed != (len(said) > 0 || bytes.Contains(files[len(files)-1].Contents, []byte("kill -TERM"))) {
		t.Errorf("%s: the script ends with %v, and says %q", shell, err, said)
	}
	return script, string(said)
}

// TestDebug keeps everything, and logs.
func TestDebug(t *testing.T) {
	t.Parallel()
	files := Staged(guest(t, tree.New(t, nil), nil).Root, []spec.File{{Path: "/x"}}, true)
	for _, script := range []string{string(files[len(files)-1].Contents), sweepScript([]string{"/secret"}, true)} {
		if !strings.Contains(script, "exec >> "+debugLog) || strings.Contains(script, "rm -rf") || strings.Contains(script, "/secret") || strings.Contains(script, `"$0"`) {
			t.Errorf("script %s", script)
		}
	}
}
