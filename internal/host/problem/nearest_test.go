package problem

import (
	"strings"
	"testing"

	"snf-image/internal/spec"
)

func TestNearest(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"USRES": "USERS", "USER": "USERS", "SAWP": "SWAP", "OSFAMILIY": "OSFAMILY", "ROOT-PARTITION": "ROOT_PARTITION",
		"ROOTPARTITION": "ROOT_PARTITION", "CUSTOMTASK": "CUSTOM_TASK", "EXCLUDE_TAKS_ADDSWAP": "EXCLUDE_TASK_ADDSWAP",
		"KEEP_IDENTITIY": "KEEP_IDENTITY",
		// What image stores keep beside.
		"OS": "", "KERNEL": "", "DESCRIPTION": "", "GUI": "", "SORTORDER": "", "SIZE": "", "DESC": "", "USERS_HINT": "",
		"USERS": "", "": "", "ID": "", "ARCH": "", "NAME": "", "TITLE": "", strings.Repeat("X", 5000): "",
	} {
		if got := Nearest(name, spec.PropertyNames()); got != want {
			t.Errorf("Nearest(%.40q) = %q, want %q", name, got, want)
		}
	}
}
