package ganeti

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"

	"snf-image/tests/harness"
	"snf-image/tests/oracle"
	"snf-image/tests/secrets"
)

// client is gnt-instance with the arguments, in JSON, from standard input: with
// secrets among those of a process, as administrators give them, everybody sees
// them before we are even called. Here every process is searched, Ganeti's as well.
const client = `import json, os, runpy, sys
sys.argv = json.load(sys.stdin)
sys.path[0] = os.path.dirname(os.path.realpath(sys.argv[0]))
runpy.run_path(sys.argv[0], run_name="__main__")
`

// quietly runs a command like gnt with arguments nobody sees.
func (c cluster) quietly(argv []string) (string, error) {
	c.Helper()
	text, err := json.Marshal(append([]string{"/usr/sbin/" + argv[0]}, argv[1:]...))
	if err != nil {
		c.Fatal(err)
	}
	return c.tell(string(text), "run", "/usr/bin/python3", "-c", client)
}

// scripts are the processes that Ganeti passes secrets to in the environment: that
// is its interface. Nothing they start is among them.
var scripts = [][]string{
	{"/srv/ganeti/os/snf-image/create"},
	{"/srv/ganeti/os/snf-image/verify", "parameters"},
}

// Names of decoys: what a CUSTOM_TASK prints on the helper's console, and a file
// among Ganeti's logs.
const (
	decoyConsole = "decoy of the console"
	decoyLog     = "decoy of a log"
)

// unseen makes an instance, and another one fail, with secrets that must not be
// seen anywhere. The first one's log is that of who debugs.
func unseen(c cluster) {
	const instance, failing = "inst31.gnt.test", "inst32.gnt.test"
	canaries, dirs := secrets.NewCanaries(), secrets.Dirs()
	decoys := secrets.Decoys(dirs)
	decoys[decoyConsole], decoys[decoyLog] = secrets.Unique("decoy"), secrets.Unique("decoy")
	texts := maps.Clone(canaries.Texts)
	maps.Copy(texts, decoys)
	console := harness.KeepConsole(c)
	c.configure("IMAGE_DEBUG=yes", "REPORT_DIR=/var/log/snf-image", console.Setting) // private to the node

	s := secrets.Begin(c, secrets.Options{
		Texts: texts, Handover: scripts, Dirs: dirs, Except: []string{console.Path()}, Roots: c.roots(),
	})
	end := secrets.Plant(c, decoys, dirs, "./cluster.sh", "run", "--")
	harness.File(c, path(1, "var/log/ganeti"), "decoy.log", decoys[decoyLog])
	added, err := c.quietly(withSecrets(instance, canaries, decoys[decoyConsole], ""))
	if err != nil {
		c.Errorf("adding %s: %v\n%s", instance, err, added)
	}
	failed, err := c.quietly(withSecrets(failing, canaries, decoys[decoyConsole], printsSecrets))
	if err == nil || !strings.Contains(failed, "exit status 3") {
		c.Errorf("adding %s: %v, want a failure with the status of the program\n%s", failing, err, failed)
	}
	if log := osLog(c, failing); !strings.Contains(log, hiddenSecrets) {
		c.Errorf("the log of %s has no %q:\n%s", failing, hiddenSecrets, log)
	}
	end()
	s.End()

	s.Text("output", "gnt-instance add "+instance, added)
	s.Text("output", "gnt-instance add "+failing, failed)
	s.Text("console", "console", console.Text(c))
	for k := 1; k <= c.nodes; k++ {
		s.Tree("Ganeti's logs", path(k, "var/log/ganeti"))
	}
	s.Tree("reports", path(1, "var/log/snf-image"))
	// The end of the failed script's log is in the output, and in more logs of Ganeti's.
	s.Check(append(secrets.Planted(dirs), "console: "+decoyConsole, "Ganeti's logs: "+decoyLog, "Ganeti's logs: "+decoyConsole, "output: "+decoyConsole))
	for _, program := range []string{scripts[0][0], "snf-image-worker", "qemu-system-x86_64", "ganeti-noded"} {
		if !s.Saw(program) {
			c.Errorf("never saw %s run", program)
		}
	}
	checkHandedOver(c, c.diskOf(1, instance), instance, canaries)
	c.remove(instance, failing)
}

// osLog is what Ganeti kept of the OS scripts of an instance on the first node.
func osLog(c cluster, instance string) string {
	c.Helper()
	files, _ := filepath.Glob(filepath.Join(path(1, "var/log/ganeti/os"), "*"+instance+"*"))
	var all strings.Builder
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			c.Fatal(err)
		}
		all.Write(text)
	}
	return all.String()
}

// A CUSTOM_TASK that prints its secrets and fails, and what may be seen of that.
const (
	printsSecrets = `echo pw "$SNF_IMAGE_PASSWD" keys $SNF_IMAGE_AUTH_KEYS files "$SNF_IMAGE_PERSONALITY" >&2; exit 3`
	hiddenSecrets = "pw [secret] keys [secret] files [secret]"
)

// withSecrets are the arguments that create an instance with private and secret
// parameters and a CUSTOM_TASK, which shows shown on the helper's console and then
// does more.
func withSecrets(instance string, canaries secrets.Canaries, shown, more string) []string {
	task := fmt.Sprintf("#!/bin/bash\nprintf '%%s%%s\\n' %s %s >/dev/console\n%s\n", shown[:9], shown[9:], more)
	return add(1, onFile, instance, debianOS+`,inst_properties={"CUSTOM_TASK":"`+base64.StdEncoding.EncodeToString([]byte(task))+`"}`,
		"--os-parameters-private", "img_passwd="+canaries.Password+",cloud_userdata="+canaries.UserData,
		"--os-parameters-secret", "auth_keys="+canaries.Key+`,img_personality=[{"path":"/etc/motd"\,"contents":"`+canaries.File+`"}]`)
}

// checkHandedOver shows that the secrets were there: they have arrived on the disk.
func checkHandedOver(c cluster, disk, instance string, canaries secrets.Canaries) {
	c.Helper()
	checkInstance(c.T, disk, instance, canaries.Password)
	for file, want := range map[string]string{"/root/.ssh/authorized_keys": canaries.Key, "/etc/motd": canaries.Texts["file"]} {
		if got := oracle.ReadFile(c, disk, root, file); got != want+"\n" {
			c.Errorf("%s = %q, want %q", file, got, want)
		}
	}
}

// configure adds settings to the configuration of node 1 until the test ends.
func (c cluster) configure(settings ...string) {
	c.Helper()
	file := path(1, "etc/default/snf-image")
	before, err := os.ReadFile(file)
	if err != nil {
		c.Fatal(err)
	}
	c.Cleanup(func() { _ = os.WriteFile(file, before, 0o600) })
	harness.File(c, filepath.Dir(file), "snf-image", string(before)+strings.Join(settings, "\n")+"\n")
}

// roots are the root directories of this machine and of each node, which has a /run
// of its own.
func (c cluster) roots() []string {
	c.Helper()
	roots := []string{"/"}
	for k := 1; k <= c.nodes; k++ {
		pid, err := os.ReadFile(path(k, "pid"))
		if err != nil {
			c.Fatal(err)
		}
		roots = append(roots, filepath.Join("/proc", strings.Fields(string(pid))[0], "root"))
	}
	return roots
}
