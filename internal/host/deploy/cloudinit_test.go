package deploy

import (
	"bytes"
	"strings"
	"testing"

	"snf-image/internal/spec"
)

// TestCloudInitMode tells beforehand and afterwards who configures the machine.
func TestCloudInitMode(t *testing.T) {
	t.Parallel()
	req, _ := deployment(t)
	req.Spec.Properties = map[string]string{spec.PropCloudInit: "yes"}
	var out bytes.Buffer
	if err := DryRun(t.Context(), req, &out); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"cloud-init  the image's own configures the machine at its first boot\n", "task      FixPartitionTable, left out by CLOUD_INIT\n", "task      InitializeDatasource\n"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("DryRun printed no %q:\n%s", want, &out)
		}
	}
	rep, err := Run(t.Context(), req)
	if err != nil || len(rep.CloudInitInstance) != 36 {
		t.Errorf("Run: %v, the instance %q", err, rep.CloudInitInstance)
	}
	req, _ = deployment(t)
	if rep, err = Run(t.Context(), req); err != nil || rep.CloudInitInstance != "" {
		t.Errorf("without cloud-init: %v, the instance %q", err, rep.CloudInitInstance)
	}
}
