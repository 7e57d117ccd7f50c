package vm

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"snf-image/tests/harness"
	"snf-image/tests/images"
	"snf-image/tests/oracle"
	"snf-image/tests/secrets"
)

// Names of the decoys that the runs show by themselves: the image, which log and
// report name, and what a CUSTOM_TASK prints on the helper's console.
const (
	decoyImage   = "decoy of the image"
	decoyConsole = "decoy of the console"
)

// exposure is a run with secrets, and a search for them.
type exposure struct {
	*job
	t        *testing.T
	canaries secrets.Canaries
	decoys   map[string]string
	dirs     []string
	console  *harness.Console
	search   *secrets.Search
}

func newExposure(t *testing.T) *exposure {
	t.Helper()
	e := &exposure{t: t, canaries: secrets.NewCanaries(), dirs: append(secrets.Dirs(), site.Temporary), console: harness.KeepConsole(t)}
	e.decoys = secrets.Decoys(e.dirs)
	e.decoys[decoyImage], e.decoys[decoyConsole] = secrets.Unique("decoy"), secrets.Unique("decoy")
	return e
}

// task is a script that shows the decoy on the helper's console and then does
// more. Nothing but the console has the decoy in one piece.
func (e *exposure) task(more string) string {
	text := e.decoys[decoyConsole]
	return fmt.Sprintf("#!/bin/bash\nprintf '%%s%%s\\n' %s %s >/dev/console\n%s\n", text[:9], text[9:], more)
}

// named gives the image the decoy as its name.
func (e *exposure) named() {
	e.t.Helper()
	path := filepath.Join(filepath.Dir(e.image), e.decoys[decoyImage])
	if err := os.Rename(e.image, path); err != nil {
		e.t.Fatal(err)
	}
	e.image = path
}

// watch searches during a run. What the tests make, the disk among it, is where
// secrets belong.
func (e *exposure) watch(handover [][]string, start func() *harness.Process) harness.Outcome {
	e.t.Helper()
	texts := maps.Clone(e.canaries.Texts)
	maps.Copy(texts, e.decoys)
	e.search = secrets.Begin(e.t, secrets.Options{
		Texts: texts, Handover: handover, Dirs: e.dirs, Except: []string{base, e.console.Path()},
	})
	p := start()
	end := secrets.Plant(e.t, e.decoys, e.dirs)
	o := p.Wait()
	end()
	e.search.End()
	e.search.Text("log", "standard error", o.Stderr)
	e.search.Text("log", "standard output", o.Stdout)
	e.search.Text("console", "console", e.console.Text(e.t))
	return o
}

// check expects each decoy to be found in its place, and nothing else anywhere.
// What the host starts lives for so long that it was looked at.
func (e *exposure) check(more ...string) {
	e.t.Helper()
	want := append(secrets.Planted(e.dirs), "console: "+decoyConsole)
	want = append(want, more...)
	e.search.Check(want)
	for _, program := range []string{"snf-image-worker", "qemu-system-x86_64"} {
		if !e.search.Saw(program) {
			e.t.Errorf("never saw %s run", program)
		}
	}
}

// ending is a way for a run to end: what its CUSTOM_TASK does at last.
type ending struct {
	task     string
	settings []string
	code     int
	line     string   // what the last line must match
	shows    string   // what the log must have: in place of secrets that were printed, [secret]
	found    []string // what else the search finds: the raw console is the test's alone
}

// printed is what a task prints of what it knows: first less than a line of the log
// takes, so that nothing of it is cut off, then in all forms, and what was made for this
// machine.
const printed = `echo pw "$SNF_IMAGE_PASSWD" keys $SNF_IMAGE_AUTH_KEYS files "$SNF_IMAGE_PERSONALITY"
(set -x; : "$SNF_IMAGE_PASSWD" "$(printf %s "$SNF_IMAGE_PASSWD" | base64)") 2>&1
printf %q "$SNF_IMAGE_PASSWD"; echo "${SNF_IMAGE_PASSWD@Q}"
for text in "$SNF_IMAGE_PASSWD" "$(printf %s "$SNF_IMAGE_CLOUD_USERDATA" | base64 -d)" "$(cat "$SNF_IMAGE_TARGET/etc/motd")"; do
	echo "$text"
	for before in '' x xx; do printf %s "$before$text" | base64; done
	printf %s "$text" | od -An -v -tx1 -w99
	printf %s "$text" | od -An -v -tx1 | tr -d ' \n' | tr a-f A-F
	printf %s "$text" | od -An -v -tx1 | tr -d '\n' | tr ' ' %
	echo
done
grep ^root: "$SNF_IMAGE_TARGET/etc/shadow"
cat "$SNF_IMAGE_TARGET/etc/ssh/ssh_host_ed25519_key"`

const hidden = "pw [secret] keys [secret] files [secret]"

// endings are the three: with the log of who debugs, with an error of a program that has
// printed all it knows, and with the helper's console in a log that shows it only then.
var endings = map[string]ending{
	"in success": {printed, []string{"IMAGE_DEBUG=yes", "HELPER_DEBUG=yes"}, 0, "", hidden, []string{"log: " + decoyConsole}},
	"in failure": {"(" + printed + ") 2>&1; exit 3", nil, 8, "RunCustomTask.*exit status 3; .*set IMAGE_DEBUG=yes", "", nil},
	"in death": {
		printed + `; printf 'last %s words\n' "$(printf %s "$SNF_IMAGE_PASSWD" | base64)" >/dev/console; echo c >/proc/sysrq-trigger; sleep 9`, nil, 7,
		"helper", "helper console: last [secret]",
		[]string{"console: password in base64 after 0", "log: " + decoyConsole},
	},
}

// check looks at how a run ended.
func (n ending) check(t *testing.T, o harness.Outcome) {
	t.Helper()
	if n.code == 0 {
		o.OK(t)
	} else {
		o.Fails(t, n.code, n.line)
	}
	if !strings.Contains(o.Stderr, n.shows) {
		t.Errorf("the log has no %q:\n%s", n.shows, o.Stderr)
	}
}

// TestSecretsCreate searches while Ganeti's create runs.
func TestSecretsCreate(t *testing.T) {
	for name, ending := range endings {
		t.Run(name, func(t *testing.T) {
			harness.Gate(t)
			e := newExposure(t)
			j, d := newInstance(t, append(ending.settings, e.console.Setting)...)
			e.job = j
			monitored(t, j, `exec dd bs=512 of="$2.$3" status=none`)
			e.named()
			o := e.watch(d.Handover("create"), func() *harness.Process {
				return d.Start(t, "create", gnt(j.disk, e.parameters(ending.task)))
			})
			e.search.Tree("log", j.dir+"/said.inst1.gnt.test")
			e.search.Tree("report", d.Reports)
			ending.check(t, o)
			if ending.code != 0 {
				j.undone()
			} else {
				e.made(o.Stderr + o.Stdout)
			}
			e.check(append(ending.found, "log: "+decoyImage, "report: "+decoyImage)...)
		})
	}
}

// parameters are all that can be secret, as Ganeti passes them.
func (e *exposure) parameters(task string) map[string]string {
	properties, _ := json.Marshal(map[string]string{
		"USERS": "root", "CUSTOM_TASK": base64.StdEncoding.EncodeToString([]byte(e.task(task))),
	})
	return map[string]string{
		"OSP_IMG_ID": e.decoys[decoyImage], "OSP_IMG_FORMAT": "diskdump", "OSP_IMG_PROPERTIES": string(properties),
		"OSP_IMG_PASSWD": e.canaries.Password, "OSP_AUTH_KEYS": e.canaries.Key, "OSP_CLOUD_USERDATA": e.canaries.UserData,
		"OSP_IMG_PERSONALITY": `[{"path": "/etc/motd", "contents": "` + e.canaries.File + `"}]`,
	}
}

// TestSecretsDeploy searches while deploy runs, and in its report. The path of the
// image is among the arguments of deploy itself.
func TestSecretsDeploy(t *testing.T) {
	for name, ending := range endings {
		t.Run(name, func(t *testing.T) {
			harness.Gate(t)
			e := newExposure(t)
			e.job = newJob(t, images.Primary("ext4", images.Debian()))
			e.named()
			reportFile := filepath.Join(e.dir, "report.json")
			args := e.args(append(e.flags(ending.task), "--report", reportFile)...)
			o := e.watch(nil, func() *harness.Process {
				return site.With(t, append(ending.settings, e.console.Setting)...).Start(t, args...)
			})
			e.search.Tree("report", reportFile)
			ending.check(t, o)
			if ending.code != 0 {
				e.undone()
			} else {
				text, _ := os.ReadFile(reportFile)
				e.made(o.Stderr + o.Stdout + string(text))
			}
			e.check(append(ending.found, secrets.Arguments+": "+decoyImage, "report: "+decoyImage)...)
		})
	}
}

// flags are the same as parameters, from files.
func (e *exposure) flags(task string) []string {
	decode := func(text string) string {
		b, _ := base64.StdEncoding.DecodeString(text)
		return string(b)
	}
	return []string{
		"--password-file", e.file("password", e.canaries.Password+"\n"),
		"--authorized-keys", e.file("keys", e.canaries.Key+"\n"),
		"--user-data", e.file("user-data", decode(e.canaries.UserData)),
		"--file", e.file("motd", decode(e.canaries.File)) + ":/etc/motd",
		"--property", "CUSTOM_TASK=" + base64.StdEncoding.EncodeToString([]byte(e.task(task))),
	}
}

// made looks at a machine that was made: the secrets have arrived, and what was
// made of them or for it alone, hash and host keys, is not in shown or on the
// console either.
func (e *exposure) made(shown string) {
	e.t.Helper()
	e.done()
	if got := oracle.ReadFile(e.t, e.disk, 1, "/root/.ssh/authorized_keys"); got != e.canaries.Key+"\n" {
		e.t.Errorf("authorized_keys = %q", got)
	}
	shadow := strings.Split(oracle.ReadFile(e.t, e.disk, 1, "/etc/shadow"), ":")
	key := strings.Split(oracle.ReadFile(e.t, e.disk, 1, "/etc/ssh/ssh_host_ed25519_key"), "\n")
	if len(shadow) < 2 || !strings.HasPrefix(shadow[1], "$6$") || len(key) < 3 {
		e.t.Fatalf("no hash in %q, or no key in %d lines", shadow, len(key))
	}
	for _, secret := range []string{shadow[1], key[2]} {
		if strings.Contains(shown+e.console.Text(e.t), secret) {
			e.t.Errorf("%q is shown", secret)
		}
	}
}
