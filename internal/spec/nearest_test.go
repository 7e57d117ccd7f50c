package spec

import (
	"strings"
	"testing"
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
		if got := Nearest(name, propertyNames()); got != want {
			t.Errorf("Nearest(%.40q) = %q, want %q", name, got, want)
		}
	}
}

// TestDidYouMean looks at every kind of name a parameter may misspell.
func TestDidYouMean(t *testing.T) {
	t.Parallel()
	p := everything()
	p.SetProperty("USRES", "root", "--property")
	p.SetProperty("Exclude_Task_AddSwop", "yes", "--property")
	p.SetProperty("DESCRIPTION", "a machine", "--property")
	p.AddJSON([]byte(`{"img_passwrd": "x", "colour": "red"}`), "p.json")
	_, problems := Build(p, deployInput())
	text := problems.Error()
	for _, want := range []string{
		`--property: USRES: there is no property "USRES", it is only passed on to programs; did you mean USERS?`,
		"did you mean EXCLUDE_TASK_ADDSWAP?", `"img_passwrd" (did you mean img_passwd?), "colour"`,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("problems lack %q:\n%s", want, text)
		}
	}
	if strings.Contains(text, "DESCRIPTION") {
		t.Errorf("an unknown property that is close to none is spoken of:\n%s", text)
	}
}
