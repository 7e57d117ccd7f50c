package main

import (
	"encoding/json"

	"snf-image/internal/report"
)

// printJSON prints what a command found, and returns err. When it found nothing
// (nil), the failure takes its place: whoever reads JSON gets JSON.
func (a *app) printJSON(found any, err error) error {
	if found == nil && err != nil {
		var d report.Deployment
		d.Fail(err)
		d.Failure.Exit = exitCode(err)
		found = map[string]*report.Ending{"failure": d.Failure}
	}
	e := json.NewEncoder(a.stdout)
	e.SetIndent("", "  ")
	if printErr := e.Encode(found); err == nil {
		return printErr
	}
	return err
}
