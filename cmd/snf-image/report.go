package main

import (
	"time"

	"snf-image/internal/host/reportfile"
	"snf-image/internal/report"
	"snf-image/internal/spec"
)

// openReport opens the place of the report, nil for none, before there is anything to
// report. It refuses one that cannot be written, or that is one of the files the
// deployment is about.
func (a *app) openReport(p *parameterFlags) (*reportfile.Destination, error) {
	if p.reportFile == "" {
		return nil, nil
	}
	if err := reportfile.Distinct(p.reportFile, append(p.Inputs(), a.configFile)...); err != nil {
		return nil, err
	}
	to, err := reportfile.Open(p.reportFile)
	if err != nil {
		return nil, &report.Failure{Kind: report.Usage, What: "preparing the report", On: p.reportFile, Cause: report.Bare(err), Remedy: "name a file in a directory you may write to"}
	}
	return to, nil
}

// writeReport writes rep, nil when the deployment did not begin, to the place that
// was opened for path, and returns how the command ends: err comes before what is
// wrong with the report.
func (a *app) writeReport(path string, to *reportfile.Destination, rep *report.Deployment, mode spec.Mode, err error) error {
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
	writeErr := to.Put(rep)
	switch {
	case writeErr == nil:
		return err
	case err != nil:
		a.log.Warn("writing the report: "+report.Bare(writeErr).Error(), "file", path)
		return err
	}
	return &report.Failure{
		Kind: report.Internal, What: "writing the report", On: path, Cause: report.Bare(writeErr),
		Remedy: "the machine itself is complete",
	}
}
