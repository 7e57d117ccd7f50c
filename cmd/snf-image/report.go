package main

import (
	"time"

	"snf-image/internal/report"
	"snf-image/internal/spec"
)

// checkReport refuses a report file that can not be written, before there is
// anything to report.
func checkReport(path string) error {
	if path == "" {
		return nil
	}
	if err := report.CheckFile(path); err != nil {
		return &report.Failure{
			Kind: report.Usage, What: "preparing the report", On: path, Cause: bare(err),
			Remedy: "name a file in a directory you may write to",
		}
	}
	return nil
}

// writeReport writes rep, nil when the deployment did not begin, and returns
// how the command ends: err comes before what is wrong with the report.
func (a *app) writeReport(path string, rep *report.Deployment, mode spec.Mode, err error) error {
	if path == "" {
		return err
	}
	if rep == nil {
		rep = &report.Deployment{Version: version, Mode: string(mode), Started: time.Now().UTC()}
		rep.Fail(err)
	}
	if rep.Failure != nil {
		rep.Failure.Exit = exitCode(err)
	}
	writeErr := rep.WriteFile(path)
	switch {
	case writeErr == nil:
		return err
	case err != nil:
		a.log.Warn("writing the report: "+bare(writeErr).Error(), "file", path)
		return err
	}
	return &report.Failure{
		Kind: report.Internal, What: "writing the report", On: path, Cause: bare(writeErr),
		Remedy: "the machine itself is complete",
	}
}
