package ganeti

import (
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"snf-image/internal/spec"
)

// parametersFile is the list of OS parameters that Ganeti reads.
const parametersFile = "../../../os/parameters.list"

// TestParametersList keeps the list in step with the table. A line is a name,
// white space and a description (ganeti-os-interface(7)).
func TestParametersList(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	for _, p := range spec.AllParameters() {
		b.WriteString(p.Name + " " + p.Doc)
		switch p.Missing {
		case "":
		case "all of it":
			b.WriteString(" (not in this version)")
		default:
			b.WriteString(" (not in this version: " + p.Missing + ")")
		}
		b.WriteString("\n")
	}
	if *update {
		if err := os.WriteFile(parametersFile, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(parametersFile)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(b.String(), string(got)); diff != "" {
		t.Errorf("%s differs from the table, run the test with -update (-table +file):\n%s", parametersFile, diff)
	}
}

func TestAPIVersionFile(t *testing.T) {
	t.Parallel()
	got, err := os.ReadFile("../../../os/ganeti_api_version")
	if err != nil || string(got) != apiVersion+"\n" {
		t.Errorf("os/ganeti_api_version = %q, %v, want %q", got, err, apiVersion)
	}
}
