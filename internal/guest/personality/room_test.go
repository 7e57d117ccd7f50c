package personality

import (
	"strings"
	"testing"

	"snf-image/internal/guest/rootfs"
	"snf-image/internal/spec"
	"snf-image/tests/tree"
)

// TestCheckRoom has a tree of two file systems with a little room each, one of which
// may grow.
func TestCheckRoom(t *testing.T) {
	t.Parallel()
	root, err := rootfs.Open(tree.New(t, map[string]string{"data/in": "DIR", "l": "-> /data"}).Dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	const rootDevice, dataDevice = 1, 2
	at := func(dir string) (room, error) {
		if strings.HasPrefix(dir, "/data") {
			return room{dataDevice, 1000, 2}, nil
		}
		return room{rootDevice, 1000, 3}, nil
	}
	for title, c := range map[string]struct {
		sizes   map[string]int
		growing uint64
		err     string
	}{
		"fits":            {map[string]int{"/a": 2000, "/b": 1, "/data/c": 2000}, 0, ""},
		"rounded up":      {map[string]int{"/a": 2001, "/b": 1}, 0, "no room for /b: the files need 4000 bytes and 3000 are free"},
		"the root grows":  {map[string]int{"/a": 9000}, rootDevice, ""},
		"the other grows": {map[string]int{"/a": 9000}, dataDevice, "no room for /a"},
		"the root alone":  {map[string]int{"/data/in/new/c": 2001}, rootDevice, "no room for /data/in/new/c"},
		"through a link":  {map[string]int{"/l/c": 2001}, rootDevice, "no room for /l/c"},
		"data grows":      {map[string]int{"/l/c": 9000}, dataDevice, ""},
		"new directories": {map[string]int{"/x/y/z": 3001}, 0, "no room for /x/y/z"},
		"an empty file":   {map[string]int{"/a": 3000, "/b": 0}, 0, ""},
		"no file":         {nil, 0, ""},
	} {
		t.Run(title, func(t *testing.T) {
			var injections []injection
			for _, p := range []string{"/a", "/b", "/x/y/z", "/data/c", "/data/in/new/c", "/l/c"} {
				if n, ok := c.sizes[p]; ok {
					injections = append(injections, injection{file: spec.File{Path: p, Contents: make([]byte, n)}})
				}
			}
			err := checkRoom(root, injections, c.growing, at)
			if c.err == "" && err != nil || c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err)) {
				t.Errorf("checkRoom = %v, want %q", err, c.err)
			}
		})
	}
}
