package build

import (
	"encoding/json"

	"snf-image/internal/host/helper"
)

// Files in the initramfs for the agent.
const (
	contentsPath = "etc/snf-image/contents.json"
	modulesPath  = "etc/snf-image/modules.json"
)

// contents is contents.json: what the initramfs holds beside it.
type contents struct {
	Schema   int              `json:"schema"`
	Release  string           `json:"release"`
	Flavour  string           `json:"flavour"`
	Suite    string           `json:"suite"`
	Kernel   string           `json:"kernel"`
	Packages []helper.Package `json:"packages"`
	Files    []entry          `json:"files"`
}

type entry struct {
	Path   string `json:"path"`
	Size   int    `json:"size"`
	Digest string `json:"sha256"`
}

// addContents lists the files of t in a file of its own and returns the digest
// of that.
func addContents(t tree, c contents) (string, error) {
	c.Schema = helper.ManifestSchema
	for _, name := range t.paths() {
		if n := t[name]; n.isFile() {
			c.Files = append(c.Files, entry{Path: "/" + name, Size: len(n.data), Digest: helper.DigestOf(n.data)})
		}
	}
	b, err := json.MarshalIndent(c, "", " ")
	if err != nil {
		return "", err
	}
	b = append(b, '\n')
	t.file(contentsPath, 0o644, b)
	return helper.DigestOf(b), nil
}
