package script

import (
	"strings"
	"testing"

	"snf-image/tests/powershell"
)

// testParsed has a parser of PowerShell read the scripts. It finds the errors of damaged ones.
func testParsed(t *testing.T) {
	_, network := ConfigureNetwork(interfaces(), true)
	for name, text := range map[string]string{"network": string(network), "password": byPowerShell} {
		if wrong := powershell.Errors(t, top, []byte(text)); len(wrong) > 0 {
			t.Errorf("%s: %q", name, wrong)
		}
		for what, damaged := range map[string]string{
			"a brace less": strings.Replace(text, "}", "", 1), "a quote less": strings.Replace(text, "'", "", 1), "a parenthesis less": strings.Replace(text, ")", "", 1),
		} {
			if len(powershell.Errors(t, top, []byte(damaged))) == 0 {
				t.Errorf("%s: %s is not noticed", name, what)
			}
		}
	}
}
