package cloudinit

import (
	"fmt"
	"path"
	"strings"

	"snf-image/internal/guest/rootfs"
	"snf-image/internal/spec"
)

const (
	// scriptDir holds what cloud-init runs once, after it made its users, in the order of names.
	scriptDir = library + "/scripts/per-once"
	stageDir  = "/var/lib/snf-image/personality"
	debugLog  = "/var/log/snf-image/cloud-init-debug.log"
)

// quoted returns a text as one word of a shell, whatever is in it.
func quoted(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }

const scriptHead = "#!/bin/sh\n# Written by snf-image for the first boot.\nPATH=/usr/sbin:/usr/bin:/sbin:/bin\numask 077\n"

// head begins a script. What is to be debugged tells in a file what it does.
func head(debug bool) string {
	if !debug {
		return scriptHead
	}
	return scriptHead + fmt.Sprintf("mkdir -p %s\nexec >> %s 2>&1\nset -x\n", path.Dir(debugLog), debugLog)
}

// sweepScript returns a script that empties files and removes itself or, to debug, says how
// cloud-init fares. A file that cannot be emptied keeps it from no other: cloud-init does not run
// it again. (":" in the place of "true" would end a shell of POSIX there.)
func sweepScript(files []string, debug bool) string {
	if debug {
		return head(debug) + "date\ncloud-init --version\ncloud-init status --long\nls -l " + path.Dir(userData) + "\nexit 0\n"
	}
	var b strings.Builder
	b.WriteString(head(debug) + "failed=0\n")
	for _, f := range files {
		fmt.Fprintf(&b, "[ ! -f %[1]s ] || true > %[1]s || failed=1\n", f)
	}
	b.WriteString("rm -f -- \"$0\"\nexit $failed\n")
	return b.String()
}

// Staged returns the files that are to be written for a personality that is put in place at the
// first boot: copies of the files, and the script that moves them, which comes last. Owners and
// groups are those that the machine has then. Files that wait for that boot already stay. However
// the script ends, it takes itself and the copies away, which may be secret: cloud-init does not
// run it again.
func Staged(root *rootfs.Root, files []spec.File, debug bool) []spec.File {
	script, stage := scriptDir+"/"+name(spec.EnforcePersonality), stageDir
	for n := 2; n < 100 && root.Has(script); n++ {
		script, stage = fmt.Sprintf("%s/%s-%d", scriptDir, name(spec.EnforcePersonality), n), fmt.Sprintf("%s-%d", stageDir, n)
	}
	var out []spec.File
	var b strings.Builder
	b.WriteString(head(debug))
	if !debug {
		fmt.Fprintf(&b, clearing, stage)
	}
	b.WriteString(placing)
	last := map[string]int{}
	for n, f := range files {
		last[path.Clean(f.Path)] = n
	}
	for n, f := range files {
		if last[path.Clean(f.Path)] != n {
			continue
		}
		staged := fmt.Sprintf("%s/%d", stage, n)
		out = append(out, spec.File{Path: staged, Contents: f.Contents, Mode: 0o600})
		fmt.Fprintf(&b, "put %s %s %04o %s %s\n", staged, quoted(path.Clean(f.Path)), f.Mode, owner(f.Owner), owner(f.Group))
	}
	b.WriteString("exit $failed\n")
	return append(out, spec.File{Path: script, Contents: []byte(b.String()), Mode: 0o700})
}

// owner returns a name for chown, the number of root's without one: an image may have none
// of that name.
func owner(name string) string {
	if name == "" {
		return "0"
	}
	return quoted(name)
}

// clearing has a script remove a directory, itself and a file that is not in its place yet at its
// end. A signal ends some shells without what they are to do at their end.
const clearing = `new=
trap 'rm -rf %s; rm -f -- "$0" ${new:+"$new"}' EXIT
trap 'exit 1' HUP INT TERM
`

// placing are the functions of the script: a file comes into its place whole, with its owner
// and mode, or not at all, which is told.
const placing = `failed=0
fail() { echo "snf-image: $1: $2" >&2; failed=1; }
# parents DIRECTORY OWNER GROUP
parents() {
	[ -n "$1" ] && [ ! -d "$1" ] || return 0
	parents "${1%/*}" "$2" "$3" && mkdir -- "$1" && chown -- "$2:$3" "$1" && chmod 0750 "$1"
}
# put STAGED PATH MODE OWNER GROUP
put() {
	[ -f "$1" ] || return 0
	[ ! -d "$2" ] || { fail "$2" "is a directory"; return; }
	parents "${2%/*}" "$4" "$5" || { fail "$2" "its directory cannot be made"; return; }
	new=$(mktemp "${2%/*}/.snf-image.XXXXXX") || { fail "$2" "no file can be made there"; return; }
	if cat < "$1" > "$new" && chown -- "$4:$5" "$new" && chmod "$3" "$new" && mv -f -- "$new" "$2"; then
		[ ! -x "$(command -v restorecon)" ] || restorecon -- "$2"
	else
		rm -f -- "$new"
		fail "$2" "cannot be put in place"
	fi
}
`
