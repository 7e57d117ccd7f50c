package vm

import (
	"slices"
	"strings"
	"testing"

	"snf-image/tests/hive"
	"snf-image/tests/images"
	"snf-image/tests/oracle"
)

// refusal is a Windows that is not to be changed.
type refusal struct {
	windows hive.Windows
	state   string // of its file system
	change  func(tree images.Tree) images.Tree
	more    []string // arguments
	code    int      // of deploy
	want    string
	usual   string // what TestWindowsRefused does of it, "" for nothing; torture does both
}

// What is done with a Windows that is refused.
const (
	asImage   = "deploy"
	asMachine = "customize"
)

// refusals are those that a helper with NTFS and hivex is needed to show.
func refusals(t *testing.T) map[string]refusal {
	t.Helper()
	sealed := hive.System(t, "2019-amd64")
	machine := sealed
	machine.State = "IMAGE_STATE_COMPLETE"
	return map[string]refusal{
		"never generalized": {machine, "", nil, nil, 3, "never generalized.*sysprep /generalize", asImage},
		"fast startup":      {sealed, images.NTFSFast, nil, nil, 8, "fast startup.*powercfg /h off", asImage},
		"dirty hive": {sealed, "", func(tree images.Tree) images.Tree {
			return inSystem(tree, func(data []byte) { data[4]++ }) // the first sequence number
		}, nil, 3, "config/SYSTEM.*not written completely.*seal it again, and let sysprep shut it down", ""},
		"damaged hive": {sealed, "", func(tree images.Tree) images.Tree {
			return inSystem(tree, func(data []byte) { data[4096]++ }) // the mark of its first cells, where we do not look
		}, nil, 8, "DisableRemoteDesktopConnections.*config/SYSTEM.*damaged registry hive: it cannot be changed", asMachine},
		"junction": {sealed, "", func(tree images.Tree) images.Tree {
			return append(tree, images.Entry{Path: "Data/"}, images.Junction("Shortcut", `C:\Data`))
		}, []string{"--file", "/etc/hostname:/Shortcut/f"}, 8, `C:.Shortcut is not a directory, or is a link`, asMachine},
		"encrypted": {sealed, images.NTFSEncrypted, func(tree images.Tree) images.Tree {
			return append(tree, images.Entry{Path: "unattend.xml", Data: strings.Repeat("<!-- x -->", 500)})
		}, nil, 8, `C:.unattend.xml is encrypted.*cipher /d`, asImage},
		"of another family": {sealed, "", nil, []string{"--property", "OSFAMILY=windows-legacy"}, 3, "Windows NT 10.0, which is not of the family windows-legacy", ""},
	}
}

// inSystem returns a tree with another hive SYSTEM.
func inSystem(tree images.Tree, change func(data []byte)) images.Tree {
	tree = slices.Clone(tree)
	for i := range tree {
		if strings.HasSuffix(tree[i].Path, "config/SYSTEM") {
			data := []byte(tree[i].Data)
			change(data)
			tree[i].Data = string(data)
		}
	}
	return tree
}

// refusesWindows has it refused: as an image, and the disk does not boot; as the disk of a machine, and that
// is not touched.
func refusesWindows(t *testing.T, c refusal, how ...string) {
	t.Helper()
	tree := images.WindowsTree(t, c.windows)
	if c.change != nil {
		tree = c.change(tree)
	}
	image := images.WindowsGPT(tree)
	image.Parts[2].State = c.state
	j := makeJob(t, image)
	if slices.Contains(how, asImage) {
		site.Run(t, j.windowsArgs(c.more...)...).Fails(t, c.code, c.want)
		if size := oracle.Size(t, j.disk); size != 256*images.MiB {
			t.Errorf("the disk has %d bytes", size)
		}
		j.undone()
	}
	if !slices.Contains(how, asMachine) {
		return
	}
	before := oracle.Digest(t, j.image, 0, -1)
	args := []string{"customize", "--disk", j.image, "--answer-file", j.file("answer.xml", answerWith(""))}
	if c.state == images.NTFSEncrypted { // that of the image is to count
		args = []string{"customize", "--disk", j.image, "--product-key-file", j.file("key", "aaaaa-bbbbb-ccccc-ddddd-eeeee\n")}
	}
	site.Run(t, append(args, c.more...)...).Fails(t, 8, c.want)
	if oracle.Digest(t, j.image, 0, -1) != before {
		t.Error("the disk of a machine changed")
	}
}

// TestWindowsRefused has one of each kind refused; torture has all.
func TestWindowsRefused(t *testing.T) {
	needsWindows(t)
	for name, c := range refusals(t) {
		if c.usual == "" {
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			refusesWindows(t, c, c.usual)
		})
	}
}
