package main

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	"snf-image/internal/report"
	"snf-image/internal/spec"
)

// checkReport refuses a report file that can not be written, or that is one of
// the files the deployment is about, before there is anything to report.
func checkReport(p *parameterFlags) error {
	path := p.reportFile
	if path == "" {
		return nil
	}
	f := &report.Failure{Kind: report.Usage, What: "preparing the report", On: path}
	for _, other := range append([]string{p.image}, p.disks...) {
		if other != "" && samePath(path, other) {
			f.Cause, f.Remedy = fmt.Errorf("it would replace %s", other), "name another file"
			return f
		}
	}
	if err := report.CheckFile(path); err != nil {
		f.Cause, f.Remedy = bare(err), "name a file in a directory you may write to"
		return f
	}
	return nil
}

// samePath says whether two paths lead to one file, there or yet to be made.
func samePath(a, b string) bool {
	stA, errA := os.Stat(a)
	stB, errB := os.Stat(b)
	if errA == nil && errB == nil {
		return os.SameFile(stA, stB)
	}
	absA, errA := filepath.Abs(a)
	absB, errB := filepath.Abs(b)
	return errA == nil && errB == nil && absA == absB
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
