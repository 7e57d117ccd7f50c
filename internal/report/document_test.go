package report

import (
	"os"
	"reflect"
	"strings"
	"testing"
)

// TestInspectionIsDocumented looks for each field of the object in the document.
func TestInspectionIsDocumented(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("../../docs/operating.md")
	if err != nil {
		t.Fatal(err)
	}
	_, text, found := strings.Cut(string(data), "\n## What inspect tells\n")
	text, _, _ = strings.Cut(text, "\n## ")
	if !found {
		t.Fatal("there is no section about inspect")
	}
	for _, v := range []any{Inspection{}, Account{}, Partition{}, Volume{}, SELinux{}, Windows{}} {
		for _, f := range reflect.VisibleFields(reflect.TypeOf(v)) {
			name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			if !f.Anonymous && !strings.Contains(text, "`"+name+"`") {
				t.Errorf("docs/operating.md does not tell what %s is", name)
			}
		}
	}
}
