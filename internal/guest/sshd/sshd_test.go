package sshd

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"snf-image/internal/guest/rootfs"
	"snf-image/tests/tree"
)

// image makes an image of files, as tree.New describes them.
func image(t *testing.T, files map[string]string) *rootfs.Root {
	t.Helper()
	root, err := rootfs.Open(tree.New(t, files).Dir)
	must(t, err)
	t.Cleanup(func() { must(t, root.Close()) })
	return root
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestSSHIncludeBomb(t *testing.T) {
	t.Parallel()
	files := map[string]string{"etc/ssh/sshd_config": "Include d/*\n"}
	for n := range 30 {
		files[fmt.Sprintf("etc/ssh/d/%d", n)] = "Include d/*\n"
	}
	if _, err := Read(image(t, files)); err == nil {
		t.Error("Read = nil, want an error")
	}
}

func TestSSHAuthorizedKeys(t *testing.T) {
	t.Parallel()
	for config, want := range map[string][]string{
		"": {".ssh/authorized_keys", ".ssh/authorized_keys2"},
		"authorizedkeysfile none\nAuthorizedKeysFile x":   {"none"},
		"Match User a\nAuthorizedKeysFile x\n":            {".ssh/authorized_keys", ".ssh/authorized_keys2"},
		"AuthorizedKeysFile=\"/a b/%u\" .ssh/%%\n":        {"/a b/%u", ".ssh/%%"},
		"Match User a\nInclude x\nMatch all\nInclude y\n": {".ssh/authorized_keys", ".ssh/authorized_keys2"},
	} {
		s, err := Read(image(t, map[string]string{"etc/ssh/sshd_config": config, "etc/ssh/x": "AuthorizedKeysFile wrong\n"}))
		must(t, err)
		if diff := cmp.Diff(want, s.AuthorizedKeys); diff != "" {
			t.Errorf("Read of %q (-want +got):\n%s", config, diff)
		}
	}
}
