package ganeti

import (
	"os"
	"strings"
	"testing"

	"snf-image/internal/spec"
	"snf-image/tests/golden"
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
	golden.File(t, parametersFile, b.String())
}

func TestAPIVersionFile(t *testing.T) {
	t.Parallel()
	got, err := os.ReadFile("../../../os/ganeti_api_version")
	if err != nil || string(got) != apiVersion+"\n" {
		t.Errorf("os/ganeti_api_version = %q, %v, want %q", got, err, apiVersion)
	}
}
