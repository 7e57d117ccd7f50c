package layout

import (
	"os"
	"slices"
	"strings"
	"testing"
)

// TestModuleTable finds rows for modules that the module does not require itself: of a
// library that is gone, or that only another library needs.
func TestModuleTable(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	required := requirements(string(text))
	if !slices.Contains(required, "github.com/spf13/cobra") {
		t.Fatalf("go.mod requires %v: cobra is missing, it was read wrong", required)
	}
	for name := range modules {
		if !slices.Contains(required, name) {
			t.Errorf("rules.go confines %s, which go.mod does not require", name)
		}
	}
}

// requirements returns the modules a go.mod requires directly.
func requirements(text string) []string {
	var names []string
	for line := range strings.Lines(text) {
		words := strings.Fields(strings.TrimPrefix(strings.TrimSpace(line), "require "))
		if len(words) >= 2 && strings.HasPrefix(words[1], "v") && !strings.Contains(line, "// indirect") {
			names = append(names, words[0])
		}
	}
	return names
}
