package task

import (
	"os"
	"path/filepath"
	"testing"
)

// TestAwaitDevices has a drop-in only where a pattern is used and systemd runs ifupdown,
// and takes the one of an earlier run away.
func TestAwaitDevices(t *testing.T) {
	t.Parallel()
	const unit, old = "lib/systemd/system/networking.service", "# of an earlier run\n"
	for name, tt := range map[string]struct {
		files  map[string]string
		needed bool
		want   string // content, "" for no file
	}{
		"systemd":        {map[string]string{unit: ""}, true, waitContent},
		"merged /usr":    {map[string]string{"usr/" + unit: ""}, true, waitContent},
		"written before": {map[string]string{unit: "", waitForUdev[1:]: old}, true, waitContent},
		"another init":   {map[string]string{"etc/inittab": ""}, true, ""},
		"not needed":     {map[string]string{unit: ""}, false, ""},
		"no longer so":   {map[string]string{unit: "", waitForUdev[1:]: old}, false, ""},
	} {
		r := newImageRun(t, tt.files)
		if err := awaitDevices(r.Run, tt.needed); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		data, err := os.ReadFile(filepath.Join(r.dir, waitForUdev))
		if string(data) != tt.want || (tt.want == "") != os.IsNotExist(err) {
			t.Errorf("%s: the drop-in is %q (%v), want %q", name, data, err, tt.want)
		}
	}
}
