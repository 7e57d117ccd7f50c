package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"snf-image/internal/host/values"
	"snf-image/internal/report"
	"snf-image/internal/spec"
)

// openReport opens the place of the report, nil for none, before there is anything to
// report. It refuses one that can not be written, or that is one of the files the
// deployment is about.
func (a *app) openReport(p *parameterFlags) (*report.Destination, error) {
	path := p.reportFile
	if path == "" {
		return nil, nil
	}
	inputs := slices.Concat(p.disks, p.keysFiles, []string{
		p.image, a.configFile, p.passwordFile, p.hashFile, p.params, p.personality, p.productKeyFile, p.userDataFile, p.answerFile,
	})
	for _, text := range p.files {
		if f, err := values.ParseFileFlag(text); err == nil {
			inputs = append(inputs, f.Source)
		}
	}
	if err := notAmong(path, inputs...); err != nil {
		return nil, err
	}
	to, err := report.OpenDestination(path)
	if err != nil {
		return nil, &report.Failure{Kind: report.Usage, What: "preparing the report", On: path, Cause: report.Bare(err), Remedy: "name a file in a directory you may write to"}
	}
	return to, nil
}

// notAmong refuses a report file that is one of the others.
func notAmong(path string, others ...string) error {
	for _, other := range others {
		if other != "" && samePath(path, other) {
			return &report.Failure{
				Kind: report.Usage, What: "preparing the report", On: path,
				Cause: fmt.Errorf("it would replace %s", other), Remedy: "name another file",
			}
		}
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

// writeReport writes rep, nil when the deployment did not begin, to the place that
// was opened for path, and returns how the command ends: err comes before what is
// wrong with the report.
func (a *app) writeReport(path string, to *report.Destination, rep *report.Deployment, mode spec.Mode, err error) error {
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
