package doctor

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"snf-image/internal/host/config"
	"snf-image/internal/host/session"
	"snf-image/internal/host/vm"
	"snf-image/internal/report"
)

// TestExamineBootsNothingWithoutAnIdentity: a helper without a user of its own
// would run as root.
func TestExamineBootsNothingWithoutAnIdentity(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("not root: HELPER_USER is without effect")
	}
	cfg := &config.Config{HelperUser: "nobody-of-that-name", HelperDir: t.TempDir(), QEMU: "false", HelperMemory: 1}
	findings, err := Examine(t.Context(), session.Settings{Config: cfg, Log: slog.New(slog.DiscardHandler)})
	if report.KindOf(err) != report.Usage {
		t.Errorf("Examine() = %v, want a failure about HELPER_USER", err)
	}
	for _, f := range findings {
		if f.Subject == "helper image" || f.Subject == "helper" {
			t.Errorf("Examine() looked at the %s: %s", f.Subject, f.Text)
		}
	}
}

func TestAccelerated(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		on     vm.Accelerator
		choice vm.Choice
		want   Finding
	}{
		{vm.KVM, vm.Choice{Why: "/dev/kvm answers"}, Finding{Subject: "helper", Grade: Good, Text: "boots with kvm: /dev/kvm answers"}},
		{vm.TCG, vm.Choice{Why: "no KVM", Remedy: "load it"}, Finding{
			Subject: "helper", Grade: Lacking, Text: "boots with tcg: no KVM; deployments take some seconds more. For KVM: load it",
		}},
	} {
		if got := accelerated(tc.on, tc.choice); got != tc.want {
			t.Errorf("accelerated() = %+v, want %+v", got, tc.want)
		}
	}
}

func TestConfined(t *testing.T) {
	t.Parallel()
	if got, want := confined("helper", []string{"a", "b"}, nil), (Finding{Subject: "confinement", Grade: Good, Text: "helper: a, b"}); got != want {
		t.Errorf("confined() = %+v, want %+v", got, want)
	}
	if got := confined("helper", []string{"a"}, []string{"b"}); got.Grade != Lacking || !strings.Contains(got.Text, "helper: this node refuses b;") {
		t.Errorf("confined() without b = %+v", got)
	}
}

// TestDirectories: where a group may write to IMAGE_DIR, every run of root's fails.
func TestDirectories(t *testing.T) {
	t.Parallel()
	images := t.TempDir()
	helper := filepath.Join(images, "helper")
	if err := os.Mkdir(helper, 0o755); err != nil {
		t.Fatal(err)
	}
	named := map[string]string{"IMAGE_DIR": images, "HELPER_DIR": helper}
	if got := directories(named); got.Grade != Good {
		t.Errorf("directories() = %+v", got)
	}
	if err := os.Chmod(images, 0o777); err != nil {
		t.Fatal(err)
	}
	got := directories(named)
	if os.Geteuid() == 0 && (got.Grade != Lacking || strings.Count(got.Text, images+" has mode 0777") != 2 || !strings.Contains(got.Text, "chmod go-w")) {
		t.Errorf("directories() that others may change = %+v", got)
	}
	named["IMAGE_DIR"], named["HELPER_DIR"] = images+"/none", images+"/none"
	if got := directories(named); os.Geteuid() == 0 && got.Grade != Lacking {
		t.Errorf("directories() below one that others may change = %+v", got)
	}
}
